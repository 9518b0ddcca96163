/**
 * Examples at the end of each command's help.
 *
 * @module
 */
import { SERVER_NAME } from "../version.ts";
import { exampleLines } from "./help_text.ts";

const PACKAGE = "hello-service-1.0.0.tar.gz";

/** What may be typed after the name of a command; the path of the command is the key. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  "serve": [
    "--listen 127.0.0.1:8080",
    "--listen 0.0.0.0:8080 --token-file token.txt",
    "--listen 0.0.0.0:8080 --tokens-file tokens.yaml",
    "--config /etc/harness-ws-server/config.yaml",
  ],
  "package": ["build ./hello-service --out dist"],
  "package init": ["./hello-service"],
  "package build": ["./hello-service --out dist", "./hello-service --version 1.2.0"],
  "package inspect": [PACKAGE],
  "package verify": [PACKAGE, `${PACKAGE} --key release.pub`],
  "package keygen": ["--out release"],
  "package sign": [`${PACKAGE} --key release.key`],
  "package push": [PACKAGE],
  "package list": ["--json"],
  "deploy": [
    `${PACKAGE} --host deploy@web1 --host web2:2222`,
    "hello-service@1.0.0 --hosts-file hosts.txt --canary 1",
    `${PACKAGE} --local --env LOG_LEVEL=debug`,
  ],
  "rollback": ["hello-service", "hello-service --version 1.0.0 --host web1"],
  "deployments": ["--service hello-service --limit 5", "show d-20261123-121606-84f48a4f"],
  "deployments list": ["--service hello-service --limit 5"],
  "deployments show": ["d-20261123-121606-84f48a4f"],
  "deployments follow": ["d-20261123-121606-84f48a4f"],
  "deployments resume": ["d-20261123-121606-84f48a4f"],
  "deployments cancel": ["d-20261123-121606-84f48a4f"],
  "services": ["", "'api-*' --state running --host web1", "--json | jq -r '.[].id'"],
  "endpoints": ["", "--json"],
  "resolve": ["hello-service", "hello-service --endpoint http"],
  "service": ["restart hello-service@web1", "logs hello-service -n 100 -f"],
  "service get": ["hello-service", "hello-service@web1 --json"],
  "service start": ["hello-service --cascade"],
  "service stop": ["hello-service", "postgres --cascade --dry-run"],
  "service restart": ["hello-service@web1"],
  "service reload": ["hello-service"],
  "service logs": ["hello-service -n 100 -f", "web db --since 10m"],
  "service register": [
    "db --version 16 --systemd postgresql.service",
    "api --version 2 --command /opt/api --depends-on db",
    "--file entry.json",
    "web --endpoint http=127.0.0.1:3000 -- node server.js",
  ],
  "service deregister": ["hello-service@web1"],
  "watch": [
    "",
    "'api-*' --state running",
    "--events",
    "'api-*' --event service_state_changed",
    "--json | jq .",
  ],
  "token": ["new --name ci --rights full --expires 720h"],
  "token new": ["--name grafana", "--name ci --rights full --services 'web,api-*'"],
  "doctor": ["", "--host deploy@web1 --identity ~/.ssh/deploy"],
  "completions": ["install"],
  "completions bash": ["> /etc/bash_completion.d/harness-ws-server"],
  "completions zsh": ["> ~/.zfunc/_harness-ws-server"],
  "completions fish": ["| source"],
  "completions powershell": ["| Out-String | Invoke-Expression"],
  "completions install": ["", "zsh"],
  "completions uninstall": ["", "zsh"],
};

/** The examples of a command as the end of its help, `width` columns wide, or nothing where there are none. */
export function examplesText(path: string, width: number): string {
  const examples = Object.hasOwn(EXAMPLES, path) ? EXAMPLES[path] ?? [] : [];
  if (examples.length === 0) return "";
  return exampleLines(
    examples.map((rest): [string] => [`${SERVER_NAME} ${path} ${rest}`.trimEnd()]),
    width,
  );
}
