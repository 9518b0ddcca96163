/**
 * All commands: name, description and arguments, which help and errors need of every one of them. The rest of a
 * command, its flags and what it does, is loaded when it is named: so a start loads what it uses.
 *
 * Data alone: `--help` is made of it without anything else.
 *
 * @module
 */
import type { Command, CommandText } from "./command_line/command.ts";
import type { Context } from "./context.ts";

/** Declares flags and handler of a command, which has its name and arguments already. */
export type Declare = (command: Command, context: Context) => void;

/** An argument: `<name>` or `[name]`, and what it is. */
type ArgumentText = NonNullable<CommandText["args"]>[number];

/** A command, or a group of them. */
export interface Entry extends CommandText {
  /** Loads what declares the rest; a group has none. */
  readonly load?: () => Promise<Declare>;
  /** The commands of a group. */
  readonly commands?: readonly Entry[];
}

const PACKAGE_FILE: ArgumentText = ["<file>"];
const DEPLOYMENT: ArgumentText = ["<id>", "deployment id, d-…"];
const INSTANCE: ArgumentText = [
  "<name>",
  "instance id, or service name where there is one instance",
];
const SHELL: ArgumentText = ["[shell]", "bash, zsh, fish, powershell"];

const loadControl = async () => (await import("./commands/service.ts")).declareControl;
const loadScript = async () => (await import("./commands/completions.ts")).declareScript;

const PACKAGE_COMMANDS: readonly Entry[] = [
  {
    name: "init",
    about: "write a new package directory to start from",
    args: [["<dir>", "directory to make"]],
    load: async () => (await import("./commands/package/package.ts")).declareInit,
  },
  {
    name: "build",
    about: "make a package of a directory",
    args: [["<dir>", "directory with a manifest.yaml"]],
    load: async () => (await import("./commands/package/package.ts")).declareBuild,
  },
  {
    name: "inspect",
    about: "check a package and show its content",
    args: [PACKAGE_FILE],
    load: async () => (await import("./commands/package/package.ts")).declareInspect,
  },
  {
    name: "verify",
    about: "check a package; exits with 1 and the reason when anything is wrong",
    args: [PACKAGE_FILE],
    load: async () => (await import("./commands/package/sign.ts")).declareVerify,
  },
  {
    name: "keygen",
    about: "make a key pair, as minisign does",
    load: async () => (await import("./commands/package/sign.ts")).declareKeygen,
  },
  {
    name: "sign",
    about: "write <file>.minisig beside a package",
    args: [PACKAGE_FILE],
    load: async () => (await import("./commands/package/sign.ts")).declareSign,
  },
  {
    name: "push",
    about: "upload a package to the server",
    args: [PACKAGE_FILE],
    load: async () => (await import("./commands/package/package.ts")).declarePush,
  },
  {
    name: "list",
    about: "list the packages that the server holds",
    load: async () => (await import("./commands/package/package.ts")).declareList,
  },
];

const DEPLOYMENT_COMMANDS: readonly Entry[] = [
  {
    name: "list",
    about: "list them, newest first",
    isDefault: true,
    load: async () => (await import("./commands/deployments.ts")).declareList,
  },
  {
    name: "show",
    about: "show one, and exit as it ended",
    args: [DEPLOYMENT],
    load: async () => (await import("./commands/deployments.ts")).declareShow,
  },
  {
    name: "follow",
    about: "follow one until it ends",
    args: [DEPLOYMENT],
    load: async () => (await import("./commands/deployments.ts")).declareFollow,
  },
  {
    name: "resume",
    about: "do again what one did not finish, on the hosts that were not ok",
    args: [DEPLOYMENT],
    load: async () => (await import("./commands/deployments.ts")).declareResume,
  },
  {
    name: "cancel",
    about: "cancel one: hosts in flight go back to the version before",
    args: [DEPLOYMENT],
    load: async () => (await import("./commands/deployments.ts")).declareCancel,
  },
];

const SERVICE_COMMANDS: readonly Entry[] = [
  {
    name: "get",
    about: "show everything known of it",
    args: [INSTANCE],
    load: async () => (await import("./commands/service.ts")).declareGet,
  },
  {
    name: "start",
    about: "start it and wait until that worked",
    args: [INSTANCE],
    load: loadControl,
  },
  { name: "stop", about: "stop it and everything it started", args: [INSTANCE], load: loadControl },
  { name: "restart", about: "stop it, then start it", args: [INSTANCE], load: loadControl },
  {
    name: "reload",
    about: "make it read its configuration again",
    args: [INSTANCE],
    load: loadControl,
  },
  {
    name: "logs",
    about: "show the log of a service, or of several",
    args: [["<names...>", "instance ids, service names, or globs such as 'api-*'"]],
    load: async () => (await import("./commands/service_logs.ts")).declareLogs,
  },
  {
    name: "register",
    about: "put a service into the registry",
    args: [
      ["[name]", "service name; with --file it may be left out"],
      ["[-- command...]", "a program to start, and to keep registered while it runs"],
    ],
    load: async () => (await import("./commands/service_register.ts")).declareRegister,
  },
  {
    name: "deregister",
    about: "remove it from the registry; what runs is left alone",
    args: [INSTANCE],
    load: async () => (await import("./commands/service.ts")).declareDeregister,
  },
];

const COMPLETIONS_COMMANDS: readonly Entry[] = [
  { name: "bash", about: "print the script for bash", load: loadScript },
  { name: "zsh", about: "print the script for zsh", load: loadScript },
  { name: "fish", about: "print the script for fish", load: loadScript },
  {
    name: "powershell",
    alias: "pwsh",
    about: "print the script for PowerShell",
    load: loadScript,
  },
  {
    name: "install",
    about: "install for this user; without a name, for the shell of $SHELL",
    args: [SHELL],
    load: async () => (await import("./commands/completions.ts")).declareInstall,
  },
  {
    name: "uninstall",
    about: "remove what was installed",
    args: [SHELL],
    load: async () => (await import("./commands/completions.ts")).declareUninstall,
  },
];

/** The commands, in the order of the help. */
export const COMMANDS: readonly Entry[] = [
  {
    name: "serve",
    about: "start the server (the default command)",
    load: async () => (await import("./commands/serve.ts")).declareServe,
  },
  {
    name: "package",
    about: "build, inspect, verify and sign packages",
    commands: PACKAGE_COMMANDS,
  },
  {
    name: "deploy",
    about: "deploy a package to hosts",
    args: [["<package>", "package file, or name@version that the server holds"]],
    load: async () => (await import("./commands/deploy.ts")).declareDeploy,
  },
  {
    name: "rollback",
    about: "go back to the last good version",
    args: [["<service>", "service name, or the id of one instance"]],
    load: async () => (await import("./commands/rollback.ts")).declareRollback,
  },
  {
    name: "deployments",
    about: "list, show, follow, resume, cancel deployments",
    commands: DEPLOYMENT_COMMANDS,
  },
  {
    name: "services",
    about: "list services",
    args: [["[name]", "name or glob such as 'api-*'"]],
    load: async () => (await import("./commands/services.ts")).declareServices,
  },
  {
    name: "endpoints",
    about: "list every endpoint of every instance",
    load: async () => (await import("./commands/services.ts")).declareEndpoints,
  },
  {
    name: "resolve",
    about: "print where a service can be reached now",
    args: [["<service>", "service name"]],
    load: async () => (await import("./commands/services.ts")).declareResolve,
  },
  { name: "service", about: "show and control one service", commands: SERVICE_COMMANDS },
  {
    name: "watch",
    about: "show services as they change, until Ctrl-C: a table, or events in a pipe",
    args: [["[services...]", "ids, names or globs; all when left out"]],
    load: async () => (await import("./commands/watch.ts")).declareWatch,
  },
  {
    name: "token",
    about: "make tokens for the server's --tokens-file",
    commands: [{
      name: "new",
      about: "make a token; it is shown once, and the file gets its hash alone",
      load: async () => (await import("./commands/token.ts")).declareNew,
    }],
  },
  {
    name: "doctor",
    about: "check for common problems; changes nothing",
    load: async () => (await import("./commands/doctor.ts")).declareDoctor,
  },
  {
    name: "completions",
    about: "make a shell complete commands, flags and live names",
    commands: COMPLETIONS_COMMANDS,
  },
];
