"""Start a machine by XenAPI, follow its task by events, and read the same task as vSphere has it.

    pip install XenAPI pyvmomi
    vimsim -method-delay PowerOnVM:2000 -E env & sleep 1; . ./env
    python3 xenapi_task.py
"""

import os
from urllib.parse import urlsplit

import XenAPI
from pyVim.connect import SmartConnect

url = urlsplit(os.environ["GOVC_URL"])
session = XenAPI.Session(f"{url.scheme}://{url.hostname}:{url.port}", ignore_ssl=True)
session.xenapi.login_with_password(url.username, url.password, "2.21", "example")
xenapi = session.xenapi

[vm] = xenapi.VM.get_by_name_label("DC0_H0_VM0")
xenapi.VM.hard_shutdown(vm)
task = xenapi.Async.VM.start(vm, False, False)

vsphere = SmartConnect(
    protocol=url.scheme,
    host=url.hostname,
    port=url.port,
    user=url.username,
    pwd=url.password,
    disableSslCertValidation=True,
)
for same in vsphere.content.taskManager.recentTask:
    if same.info.state in ("queued", "running"):
        print(f"vSphere: {same.info.descriptionId} of {same.info.entityName}")

token, status = "", "pending"
while status == "pending":
    batch = xenapi.event_from([f"task/{task}"], token, 10.0)
    token = batch["token"]
    for event in batch["events"]:
        status = event["snapshot"]["status"]
        print(f"XenAPI: {status} {event['snapshot']['progress']:.0%}")

xenapi.task.destroy(task)
print(f"DC0_H0_VM0: {xenapi.VM.get_power_state(vm)}")
session.logout()
