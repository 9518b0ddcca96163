"""Deploys a release as the documentation of the operations shows it: one for each thing to be done."""

from pyinfra import host
from pyinfra.operations import files, server

data = host.data
root = data.root
release = f"{root}/{data.release}"
scripts = f"{root}/current/scripts"
env = {"HARNESS_INSTALL_DIR": f"{root}/current"}

files.put(name="Copy the package", src=data.package, dest=f"{root}/{data.file}")
server.shell(
    name="Check the package",
    commands=[f"echo '{data.sha256}  {root}/{data.file}' | sha256sum --check --quiet"],
)
files.directory(name="Make the directory of the release", path=release)
server.shell(name="Unpack it", commands=[f"tar -xzf {root}/{data.file} -C {release}"])
server.shell(
    name="Check every file",
    commands=[f"cd {release} && sha256sum --check --quiet SHA256SUMS"],
)
server.shell(name="Write it to the disk", commands=[f"sync --file-system {root}"])
files.link(name="Switch", path=f"{root}/current", target=release)
server.shell(
    name="Stop what runs",
    commands=[
        f"if [ -f {root}/pid ]; then old=$(cat {root}/pid); kill $old || :; "
        "while kill -0 $old 2>/dev/null; do sleep 0.02; done; fi"
    ],
)
server.shell(
    name="Start it",
    commands=[
        f"setsid {scripts}/start.sh < /dev/null > {root}/log 2>&1 & echo $! > {root}/pid"
    ],
    _env=env,
)
server.shell(
    name="Wait until it is healthy",
    commands=[f"for try in $(seq 200); do {scripts}/health.sh && exit 0; sleep 0.05; done; exit 1"],
    _env=env,
)
