#!/usr/bin/env bash
# A task made, run and cancelled by SOAP messages typed by hand: what every client does underneath.
#
#     vimsim &
#     examples/cancel_task.sh

set -euo pipefail

url=${GOVC_URL:-https://user:pass@127.0.0.1:8989/sdk}
[[ $url =~ ^(https?://)([^:]+):([^@]+)@(.+)$ ]]
sdk=${BASH_REMATCH[1]}${BASH_REMATCH[4]} user=${BASH_REMATCH[2]} password=${BASH_REMATCH[3]}
cookies=$(mktemp)
trap 'rm -f "$cookies"' EXIT

# Calls a method: soap Method Type:moid '<argument>…</argument>'
soap() {
    curl --silent --insecure --cookie "$cookies" --cookie-jar "$cookies" "$sdk" \
        --header 'Content-Type: text/xml; charset=utf-8' --header 'SOAPAction: urn:vim25/8.0.3.0' \
        --data-binary @- <<END
<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>
  <$1 xmlns="urn:vim25"><_this type="${2%%:*}">${2#*:}</_this>${3-}</$1>
</Body></Envelope>
END
}

# The text of the first element of this name.
text() {
    grep -o "<$1[ >][^<]*" | head -n 1 | sed 's/[^>]*>//'
}

show() {
    local info field
    info=$(soap Fetch "Task:$task" '<prop>info</prop>')
    for field in state progress cancelled localizedMessage; do
        printf '%s=%s ' "$field" "$(text "$field" <<<"$info")"
    done
    echo
}

soap Login SessionManager:SessionManager \
    "<userName>$user</userName><password>$password</password>" | text userName

task=$(soap CreateTask TaskManager:TaskManager '
    <obj type="Folder">group-d1</obj>
    <taskTypeId>com.vmware.govmomi.simulator.test</taskTypeId>
    <cancelable>true</cancelable>' | text task)
echo "$task"
show

soap SetTaskState "Task:$task" '<state>running</state>' >/dev/null
soap UpdateProgress "Task:$task" '<percentDone>60</percentDone>' >/dev/null
show

# Whoever may, asks for the task to be cancelled; whoever runs it sees that, and ends it.
soap CancelTask "Task:$task" >/dev/null
show
soap SetTaskState "Task:$task" '<state>error</state><fault>
    <fault xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="RequestCanceled"/>
    <localizedMessage>The task was canceled by a user.</localizedMessage></fault>' >/dev/null
show

soap Logout SessionManager:SessionManager >/dev/null
