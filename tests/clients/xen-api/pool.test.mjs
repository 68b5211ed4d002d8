// The client of Xen Orchestra against the server that GOVC_URL names, whose starts take their time:
// -method-delay PowerOnVM:1500.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

// The packages are not beside this file: MODULES says where.
const require = createRequire(pathToFileURL(join(process.env.MODULES, 'package.json')))
const { createClient } = await import(pathToFileURL(require.resolve('xen-api')))
const { CancelToken } = require('promise-toolbox')

const url = new URL(process.env.GOVC_URL)
const NAME = 'DC0_H0_VM0'

async function connect() {
  const xapi = createClient({
    url: url.origin,
    allowUnauthorized: true,
    auth: { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) },
  })
  await xapi.connect()
  await xapi.objectsFetched
  return xapi
}

const named = (xapi, name) =>
  Object.values(xapi.objects.all).find(object => object.$type === 'VM' && object.name_label === name)

// Waits until what the client has cached satisfies a condition.
async function eventually(condition) {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    assert.ok(Date.now() < deadline, 'in time')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

test('objects, tasks and their end', { timeout: 60_000 }, async () => {
  const xapi = await connect()
  try {
    assert.equal(xapi.status, 'connected')
    assert.equal(xapi.pool.$type, 'pool')
    const vm = named(xapi, NAME)
    assert.equal(vm.power_state, 'Running')
    assert.equal(xapi.getObject(vm.resident_on).$type, 'host')

    await xapi.callAsync('VM.hard_shutdown', vm.$ref)
    await eventually(() => xapi.getObject(vm.$ref).power_state === 'Halted')

    // A task that is watched, and gives a reference.
    const task = await xapi.call('Async.VM.clone', vm.$ref, 'copy')
    const clone = await xapi.watchTask(task)
    await eventually(() => xapi.getObject(clone, undefined)?.name_label === 'copy')
    await xapi.call('task.destroy', task)
    await xapi.callAsync('VM.destroy', clone)
    await eventually(() => xapi.getObject(clone, undefined) === undefined)

    // A task that is cancelled.
    const { cancel, token } = CancelToken.source()
    const started = xapi.callAsync(token, 'VM.start', vm.$ref, false, false)
    setTimeout(cancel, 300)
    await assert.rejects(started)
    await eventually(() => Object.keys(xapi.getObject(vm.$ref).current_operations).length === 0)
    assert.equal(xapi.getObject(vm.$ref).power_state, 'Halted')

    // A task that fails says why.
    await assert.rejects(xapi.callAsync('VM.clean_shutdown', vm.$ref), {
      code: 'VM_BAD_POWER_STATE',
      params: [vm.$ref, 'running', 'halted'],
    })

    await xapi.callAsync('VM.start', vm.$ref, false, false)
    await eventually(() => xapi.getObject(vm.$ref).power_state === 'Running')
  } finally {
    await xapi.disconnect()
  }
})
