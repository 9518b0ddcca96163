/**
 * What a request costs must not depend on what else is registered: counted in executed blocks of our sources, not in
 * time. What has to look at everything works in pieces, in the turns of its client, and is named in WHOLE.
 */
import assert from "node:assert/strict";
import type { RegistryActions, SubscriptionActions } from "../../src/protocol/actions.ts";
import { nameOf, type WorkRequest } from "./work_fixture.ts";

type Counted = keyof RegistryActions | keyof SubscriptionActions;

const NAME = nameOf(55);
const NEW = { name: "new", version: "1", execution: { type: "systemd_service", unit_name: "new" } };
const register = (service: object) => ({ action: "register_service", params: { service } });
const deregister = { title: "", action: "deregister_service", params: { name: "new" } };

/** An action that is missing here does not compile. */
const REQUESTS: Record<Counted, Array<Omit<WorkRequest, "title" | "action"> & { title?: string }>> =
  {
    list_services: [
      { title: "by name", params: { name: NAME } },
      { title: "a page", params: { limit: 10 } },
    ],
    get_service: [
      { params: { name: NAME } },
      { title: "misspelt at its end", params: { name: "service-00005x" } },
      { title: "misspelt at its start", params: { name: "srevice-000055" } },
      { title: "like nothing", params: { name: "x".repeat(60) } },
    ],
    register_service: [
      { params: register(NEW).params, undo: deregister },
      {
        title: "that needs others",
        params: register({ ...NEW, depends_on: [NAME, nameOf(60)] }).params,
        undo: deregister,
      },
      { title: "again", params: { service: { ...NEW, name: NAME }, replace: true } },
      {
        title: "in a cycle",
        params: { service: { ...NEW, name: nameOf(50), depends_on: [NAME] }, replace: true },
      },
    ],
    update_service: [
      { params: { name: NAME, labels: { a: "b" } } },
      { title: "what it needs", params: { name: NAME, depends_on: [nameOf(60)] } },
      { title: "misspelt", params: { name: "service-00005x", version: "2" } },
    ],
    deregister_service: [
      {
        params: { name: nameOf(58) },
        undo: { title: "", ...register({ ...NEW, name: nameOf(58) }) },
      },
      { title: "misspelt", params: { name: "service-00005x" } },
    ],
    heartbeat: [{ params: { name: nameOf(57) } }, {
      title: "misspelt",
      params: { name: "srvice" },
    }],
    list_endpoints: [],
    resolve_endpoint: [
      { params: { service: nameOf(57) } },
      { title: "misspelt", params: { service: "service-00005x" } },
    ],
    get_dependencies: [
      { params: { name: NAME } },
      { title: "of one that others need", params: { name: nameOf(60) } },
      { title: "misspelt", params: { name: "service-00005x" } },
    ],
    subscribe: [
      { params: {} },
      { title: "to some", params: { services: [NAME, "service-00005?"] } },
    ],
    unsubscribe: [{ params: { subscription: "none" } }],
  };
/** These look at everything by their nature, in pieces. */
const WHOLE: Counted[] = ["list_endpoints"];

/** Beyond this many of them, a search in a sorted list takes a few steps more. */
const SIZES = [300, 6_000] as const;
const MOST_MORE = 400;

async function countsOf(services: number, requests: WorkRequest[]): Promise<Map<string, number>> {
  const child = new URL("./work_child.ts", import.meta.url).pathname;
  const { DENO_COVERAGE_DIR: _, ...env } = Deno.env.toObject();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child, String(services), JSON.stringify(requests)],
    clearEnv: true,
    env,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new Map(Object.entries(JSON.parse(new TextDecoder().decode(stdout))));
}

Deno.test("server: the work of a request does not grow", async () => {
  const withToken = Object.entries(REQUESTS).flatMap(([action, list]) =>
    list.map(({ title = "", ...rest }) => ({ ...rest, action, title: `${action} ${title}`.trim() }))
  );
  const requests = withToken.flatMap((request): WorkRequest[] => [
    request,
    { ...request, access: "anonymous", title: `${request.title}, without a token` },
  ]);
  const missing = Object.entries(REQUESTS).filter(([, list]) => list.length === 0);
  assert.deepEqual(missing.map(([action]) => action), WHOLE);
  const [few, many] = await Promise.all(SIZES.map((size) => countsOf(size, requests)));
  const grown = requests.flatMap(({ title }) => {
    const [before = 0, after = 0] = [few?.get(title), many?.get(title)];
    assert.ok(before > 10, `${title} was not counted`);
    return after > 1.2 * before + MOST_MORE ? [`${title}: ${before} → ${after}`] : [];
  });
  assert.deepEqual(grown, [], `executed blocks with ${SIZES.join(" → ")} services`);
});
