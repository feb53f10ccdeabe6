"""examples/compose.yaml and examples/kubernetes, against their schemas and against livehook. Nothing here starts a container."""

import re
import tomllib
import urllib.request

import yaml

from documents import ROOT, block, replace
from programs import LIVEHOOK, free_port, livehook, running

EXAMPLES = ROOT / "examples"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OBJECTS = list(yaml.safe_load_all((EXAMPLES / "kubernetes/livehook.yaml").read_text()))
RESTORE = yaml.safe_load((EXAMPLES / "kubernetes/restore.yaml").read_text())
# The oldest and the newest that the schemas know and that fit.
KUBERNETES = ("1.25", "1.31", "1.37")


def the(kind, name="livehook"):
    found = [each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, f"{kind} {name}: {len(found)}"
    return found[0]


def test_the_compose_files_are_valid():
    import compose_spec

    for name in ("compose.yaml", "standby.yaml"):
        compose_spec.PyOptions(apply_merge=True).from_yaml((EXAMPLES / name).read_text()).validate()
    service = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())["services"]["livehook"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert 'HEALTHCHECK' in DOCKERFILE and '"healthcheck"]' in DOCKERFILE


def test_the_objects_of_kubernetes_are_valid():
    import kubernetes_validate

    for version in KUBERNETES:
        for each in [*OBJECTS, RESTORE]:
            kubernetes_validate.validate(each, version, strict=True)


def test_the_objects_of_kubernetes_fit_together():
    pod = the("StatefulSet")["spec"]["template"]
    container, = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for name in ("livehook", "livehook-admin"):
        service = the("Service", name)["spec"]
        assert service["selector"] == labels and {port["targetPort"] for port in service["ports"]} <= set(ports)
    assert the("StatefulSet")["spec"]["serviceName"] == the("Service", "livehook-admin")["metadata"]["name"]
    assert the("StatefulSet")["spec"]["replicas"] == 1
    policy = the("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == ["callbacks", "admin"]
    path = the("Ingress")["spec"]["rules"][0]["http"]["paths"][0]
    assert path["path"] == "/callback" and path["backend"]["service"]["name"] == the("Service")["metadata"]["name"]

    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    names = {volume["name"] for volume in pod["spec"]["volumes"]}
    names |= {claim["metadata"]["name"] for claim in the("StatefulSet")["spec"]["volumeClaimTemplates"]}
    assert set(mounts) == names and f"VOLUME {mounts['data']}\n" in DOCKERFILE
    assert container["env"][0]["value"] == f"{mounts['config']}/config.toml"
    config = tomllib.loads(the("ConfigMap")["data"]["config.toml"])
    # The names in the command at the top of the file.
    keys = re.findall(r"--from-literal=([\w.]+)=", (EXAMPLES / "kubernetes/livehook.yaml").read_text())
    assert [config["receiver"]["keys_file"], config["admin"]["token_file"]] == [f"{mounts['secrets']}/{key}" for key in keys]

    user = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.M)
    context = pod["spec"]["securityContext"]
    assert (str(context["runAsUser"]), str(context["fsGroup"])) == user.groups()
    default = re.search(r"^# shutdown_grace_secs = (\d+)$", (ROOT / "config.example.toml").read_text(), re.M)[1]
    assert pod["spec"]["terminationGracePeriodSeconds"] > int(default)


def test_a_restore_in_kubernetes_has_the_same_volume():
    stateful_set = the("StatefulSet")
    pod = stateful_set["spec"]["template"]["spec"]
    service, container = pod["containers"][0], RESTORE["spec"]["containers"][0]
    claim, = stateful_set["spec"]["volumeClaimTemplates"]
    volume = {"persistentVolumeClaim": {"claimName": f"{claim['metadata']['name']}-{stateful_set['metadata']['name']}-0"}}
    assert RESTORE["spec"]["volumes"] == [{"name": "data", **volume}]
    assert container["volumeMounts"] == [mount for mount in service["volumeMounts"] if mount["name"] == "data"]
    assert RESTORE["spec"]["securityContext"] == pod["securityContext"]
    assert all(container[name] == service[name] for name in ("image", "securityContext"))
    # The image names the data directory.
    assert container["args"] == ["restore", "-"] and f"LIVEHOOK_DATA_DIR={container['volumeMounts'][0]['mountPath']}\n" in DOCKERFILE
    comment = re.findall(r"^#     (.+)$", (EXAMPLES / "kubernetes/restore.yaml").read_text(), re.M)
    assert block("docs/deployment.md", "Kubernetes", "sh", "kubectl scale").splitlines() == comment


def test_the_probes_of_kubernetes_are_answered(folder):
    """livehook runs with the configuration of the ConfigMap, and the probes ask from an address that is not a loopback address."""
    container = the("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    config, secrets = the("ConfigMap")["data"]["config.toml"], "/run/secrets/livehook"
    receiver, admin = free_port(), free_port()
    config = replace(config, secrets, str(folder))
    config = replace(config, f'listen = "0.0.0.0:{ports["admin"]}"', f'listen = "0.0.0.0:{admin}"')
    assert f"EXPOSE {ports['callbacks']}\n" in DOCKERFILE
    (folder / "config.toml").write_text(config)
    for name in ("callback.key", "admin.token"):
        (folder / name).write_text(livehook("keygen", folder=folder))
    environment = {"LIVEHOOK_CONFIG": "config.toml", "LIVEHOOK_LISTEN": f"0.0.0.0:{receiver}"}
    with running("livehook", [LIVEHOOK, *container["args"]], receiver, folder, environment):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container[probe]["httpGet"]
            assert asked["port"] == "admin"
            with urllib.request.urlopen(f"http://127.0.0.2:{admin}{asked['path']}", timeout=5) as answer:
                assert answer.status == 200, probe
        health = tomllib.loads(config)["receiver"]["health_path"]
        with urllib.request.urlopen(f"http://127.0.0.1:{receiver}{health}", timeout=5) as answer:
            assert answer.status == 200
