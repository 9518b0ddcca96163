"""Copies a package and runs install.sh, as pyinfra does it."""

from pyinfra import host
from pyinfra.operations import files, server

data = host.data
files.put(src=data.package, dest=f"{data.root}/{data.file}")
files.put(src=data.script, dest=f"{data.root}/install.sh")
server.shell(commands=[f"sh {data.root}/install.sh {data.root} {data.file} {data.sha256}"])
