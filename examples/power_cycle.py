#!/usr/bin/env python3
"""Power a virtual machine off and on again, showing the progress of each task.

    pip install pyvmomi
    vimsim -method-delay PowerOffVM:3000,PowerOnVM:3000 &
    python3 examples/power_cycle.py [VM]
"""

import os
import sys
from urllib.parse import urlsplit

from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import vim

url = urlsplit(os.environ.get("GOVC_URL", "https://user:pass@127.0.0.1:8989/sdk"))
name = sys.argv[1] if len(sys.argv) > 1 else "DC0_H0_VM0"

si = SmartConnect(
    protocol=url.scheme,
    host=url.hostname,
    port=url.port,
    user=url.username,
    pwd=url.password,
    disableSslCertValidation=True,
)
vm = si.content.searchIndex.FindByInventoryPath(f"/DC0/vm/{name}")
if vm is None:
    sys.exit(f"there is no {name}")


def show(task, progress):
    if progress is not None:
        print(f"{task.info.descriptionId}: {progress}", flush=True)


for call in (vm.PowerOffVM_Task, vm.PowerOnVM_Task):
    try:
        WaitForTask(call(), onProgressUpdate=show)
    except vim.fault.InvalidPowerState as fault:
        print(f"{name} is {fault.existingState} already")
    print(f"{name}: {vm.runtime.powerState}")

Disconnect(si)
