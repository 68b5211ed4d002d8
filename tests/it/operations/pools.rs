//! Resource pools.

use super::*;
use vimsim::object;

fn spec() -> Object {
    let allocation = |limit: i64| {
        object!(ResourceAllocationInfo {
            reservation: 0_i64,
            expandableReservation: true,
            limit: limit,
            shares: object!(SharesInfo { shares: 0, level: "high" }),
        })
    };
    object!(ResourceConfigSpec {
        cpuAllocation: allocation(1000),
        memoryAllocation: allocation(-1)
    })
}

fn new_pool(sim: &Sim, parent: &MoRef, name: &str) -> MoRef {
    let args = args![name = name.to_owned(), spec = spec()];
    let answer = sim.call(parent, method::CreateResourcePool, args).expect("a pool");
    agreement::check(&sim.snapshot());
    answer.as_ref().and_then(Value::as_moref).expect("a pool").clone()
}

#[test]
fn pools_are_made_changed_and_renamed() {
    let sim = Sim::new();
    let root = create::pool(&sim, "DC0_C0");
    let pool = new_pool(&sim, &root, "gold");
    assert_eq!(sim.number(&pool, path!(ResourcePool, "config.cpuAllocation.shares.shares")), 8000);
    assert_eq!(sim.number(&pool, path!(ResourcePool, "summary.config.cpuAllocation.limit")), 1000);
    let again = args![name = "gold", spec = spec()];
    sim.refused(&root, method::CreateResourcePool, again, ty::DuplicateName);
    let change = object!(ResourceConfigSpec {
        cpuAllocation: object!(ResourceAllocationInfo { limit: 2000_i64 }),
        memoryAllocation: object!(ResourceAllocationInfo {}),
    });
    sim.call(&pool, method::UpdateConfig, args![name = "silver", config = change])
        .expect("a change");
    agreement::check(&sim.snapshot());
    assert_eq!(sim.text(&pool, path!(ResourcePool, "summary.name")), "silver");
    assert_eq!(sim.number(&pool, path!(ResourcePool, "config.cpuAllocation.limit")), 2000);
    assert_eq!(sim.number(&pool, path!(ResourcePool, "config.cpuAllocation.shares.shares")), 8000);
    let wrong = object!(ResourceConfigSpec {
        cpuAllocation: object!(ResourceAllocationInfo { reservation: 9_i64, limit: 1_i64 }),
        memoryAllocation: object!(ResourceAllocationInfo {}),
    });
    sim.refused(&pool, method::UpdateConfig, args![config = wrong], ty::InvalidArgument);
    sim.refused(&root, method::UpdateConfig, args![name = "other"], ty::NotSupported);
}

#[test]
fn what_a_pool_holds_goes_up_when_it_goes() {
    let sim = Sim::new();
    let root = create::pool(&sim, "DC0_C0");
    let vm = sim.vm("DC0_C0_RP0_VM0");
    let (outer, inner) = {
        let outer = new_pool(&sim, &root, "outer");
        (outer.clone(), new_pool(&sim, &outer, "inner"))
    };
    sim.call(&inner, method::MoveIntoResourcePool, args![list = vec![vm.clone()]]).expect("a move");
    agreement::check(&sim.snapshot());
    let memory = path!(ResourcePool, "summary.configuredMemoryMB");
    assert_eq!((sim.number(&inner, memory), sim.number(&outer, memory)), (32, 32));
    // A pool can move with what is in it, but not into itself.
    let apart = new_pool(&sim, &root, "apart");
    sim.call(&apart, method::MoveIntoResourcePool, args![list = vec![inner.clone()]])
        .expect("a move");
    agreement::check(&sim.snapshot());
    assert_eq!((sim.number(&apart, memory), sim.number(&outer, memory)), (32, 0));
    let into_itself = args![list = vec![apart.clone()]];
    sim.refused(&inner, method::MoveIntoResourcePool, into_itself, ty::InvalidArgument);
    sim.done(&apart, method::Destroy_Task, args![]);
    let parent = path!(ResourcePool, "parent");
    assert_eq!(sim.snapshot().moref(&inner, parent), Some(&root));
    sim.call(&root, method::DestroyChildren, args![]).expect("no children");
    agreement::check(&sim.snapshot());
    let pool = path!(VirtualMachine, "resourcePool");
    assert_eq!(sim.snapshot().moref(&vm, pool), Some(&root));
    assert!(!sim.snapshot().exists(&inner) && !sim.snapshot().exists(&outer));
    sim.refused(&root, method::Destroy_Task, args![], ty::NotSupported);
}

#[test]
fn machines_stay_in_their_compute_resource() {
    let sim = Sim::new();
    let root = create::pool(&sim, "DC0_C0");
    let stranger = sim.vm("DC0_H0_VM0");
    sim.refused(
        &root,
        method::MoveIntoResourcePool,
        args![list = vec![stranger]],
        ty::InvalidArgument,
    );
}

#[test]
fn a_vapp_takes_its_machines_along() {
    let sim = Sim::with(|config| config.model.app = 1);
    let app = sim.find(ty::VirtualApp, "DC0_C0_APP0");
    let machines = sim.snapshot().morefs(&app, path!(ResourcePool, "vm"));
    assert!(!machines.is_empty());
    sim.fails(&app, method::Destroy_Task, args![], ty::InvalidPowerState);
    for vm in &machines {
        sim.done(vm, method::PowerOffVM_Task, args![]);
    }
    sim.done(&app, method::Destroy_Task, args![]);
    assert!(machines.iter().all(|vm| !sim.snapshot().exists(vm)));
}
