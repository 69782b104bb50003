"""An agent of Colmeia in plain Python: no package, only the protocol. Run it with `python3 agent.py`.

Reads COLMEIA_ADDRESS and COLMEIA_KEY, or the files `address` and `operator.key` in COLMEIA_HOME (.colmeia).
"""
import json, os, random, signal, threading, time, urllib.error, urllib.request, uuid

HOME = os.environ.get("COLMEIA_HOME", ".colmeia")
AGENT = "greeter-py"
stopping = threading.Event()


def setting(variable, file):
    """Read at each call: after a restart the control plane may have another port."""
    return os.environ.get(variable) or open(os.path.join(HOME, file)).read().strip()


def post(path, body, timeout=30, headers={}):
    request = urllib.request.Request(f"{setting('COLMEIA_ADDRESS', 'address')}/api/v1/{path}", json.dumps(body).encode(), {
        "Content-Type": "application/json", "Authorization": f"Bearer {setting('COLMEIA_KEY', 'operator.key')}", **headers})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.load(response)


def until_answered(path, body, **more):
    """Every call may be repeated. A refusal (4xx) is an answer too, and returns None."""
    pause = 0.1
    while True:
        try:
            return post(path, body, **more)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                return None
        except (OSError, ValueError):
            pass
        time.sleep(pause * random.uniform(0.5, 1))
        pause = min(pause * 2, 10)


def extend(lease, every, ended, lost):
    while not ended.wait(every):
        try:
            if post(f"leases/{lease['lease_id']}/heartbeat", {"fencing_token": lease["fencing_token"]})["cancel"]:
                lost.set()
        except urllib.error.HTTPError as error:
            if error.code == 409:  # another attempt counts now
                lost.set()
        except (OSError, ValueError):
            pass  # the next heartbeat may arrive


def handle(ticket, lost):
    """The work. Long work looks at lost.is_set() from time to time."""
    parameters = ticket["parameters"]
    time.sleep(float(parameters.get("seconds", 0)))
    if parameters.get("fail"):
        raise RuntimeError("asked to fail")
    return {"greeting": f"Hello, {parameters['name']}"}


def work(lease, lease_duration_ms):
    ended, lost = threading.Event(), threading.Event()
    threading.Thread(target=extend, args=(lease, lease_duration_ms / 3000, ended, lost), daemon=True).start()
    path, token = f"leases/{lease['lease_id']}", {"fencing_token": lease["fencing_token"]}
    try:
        until_answered(f"{path}/complete", {**token, "output": handle(lease["ticket"], lost)})
    except Exception as error:
        until_answered(f"{path}/fail", {**token, "error_message": str(error), "error_class": "transient"})
    finally:
        ended.set()


def drain():
    stopping.set()
    until_answered(f"agents/{AGENT}/drain", {})  # ends the open poll with an empty answer


spec = {"agent_id": AGENT, "kind": "service", "task_types": ["QUERY", "EXECUTE"], "capabilities": ["greet"], "concurrency": 1}
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=drain).start())
terms = until_answered("agents", spec) or exit("the control plane refused this agent")
while not stopping.is_set():
    key = {"Idempotency-Key": str(uuid.uuid4())}  # the same on a repeat: a lost answer is answered again
    answer = until_answered(f"agents/{AGENT}/leases", {"max": 1, "wait_ms": 30000}, timeout=60, headers=key)
    if answer is None:
        terms = until_answered("agents", spec) or terms  # it was forgotten: register again
        time.sleep(1)
    for lease in answer["leases"] if answer else []:
        work(lease, terms["lease_duration_ms"])
