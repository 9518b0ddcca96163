/**
 * Large answers: built in pieces, shared by equal requests, cached and bounded.
 *
 * The text of a list is cached until the registry's next change. A request that comes while it is being built
 * continues the same build. When all clients that wait for it are gone, nobody continues it.
 *
 * @module
 */
import type { ActionParams } from "../../protocol/actions.ts";
import { cursorAfter } from "../../model/service_id.ts";
import { type StoredEntry, textBytes } from "../../registry/entry_text.ts";
import { type ServiceFilter, serviceMatcher } from "../../registry/filter.ts";
import type { DependencyInfo } from "../../registry/dependencies.ts";
import type { Registry } from "../../registry/registry.ts";
import type { ServiceScope } from "../access/scope.ts";
import { ANSWER_CACHE_BYTES, ANSWER_CACHE_SIZE, MAX_PAGE_BYTES } from "../limits.ts";
import { bounded, Joiner } from "./joiner.ts";
import type { Work } from "./turns.ts";

/** The data of a response as JSON text, built lazily in pieces. */
export class Answer {
  /** Builds the text. */
  readonly make: () => Work<string>;

  /** An answer built by `make`. */
  constructor(make: () => Work<string>) {
    this.make = make;
  }

  /** An answer whose text is known. */
  static of(text: string): Answer {
    return new Answer(() => new Draft(nothing(), text).finish());
  }
}

/** The data of a small response as JSON text. */
export class JsonText {
  /** The text. */
  readonly text: string;

  /** Data whose text is known. */
  constructor(text: string) {
    this.text = text;
  }
}

/** A text that is being built in pieces. */
class Draft {
  readonly #steps: Work<string>;
  /** The whole text, once it is complete. */
  text: string | null;
  /** Its size in the cache. */
  bytes = 0;
  #failure: unknown = null;

  constructor(steps: Work<string>, text: string | null = null) {
    this.#steps = steps;
    this.text = text;
  }

  /** Continues until the text is complete: several callers may, and share the work. */
  *finish(): Work<string> {
    while (this.text === null) {
      if (this.#failure !== null) throw this.#failure;
      try {
        const { done, value } = this.#steps.next();
        if (done === true) this.text = value as string;
      } catch (error) {
        this.#failure = error;
      }
      if (this.text === null && this.#failure === null) yield;
    }
    return this.text;
  }
}

function* nothing(): Work<string> {
  yield;
  return "";
}

/** Builds and caches the answers of one server. */
export class Answers {
  readonly #registry: Registry;
  readonly #unsubscribe: () => void;
  readonly #drafts = new Map<string, Draft>();
  /** Bytes of the cached texts. */
  #bytes = 0;
  #made = 0;

  /** Answers from a registry. */
  constructor(registry: Registry) {
    this.#registry = registry;
    this.#unsubscribe = registry.subscribe(() => this.#forget());
  }

  /** Number of texts begun so far. */
  get made(): number {
    return this.#made;
  }

  /** The services that match. */
  list(filter: ServiceFilter, scope?: ServiceScope): Answer {
    return this.#shared("list", filter, scope, () => {
      return listText(within(this.#registry.select(filter), scope), filter);
    });
  }

  /** The services that match, a page at a time. */
  page(
    filter: ServiceFilter,
    page: { limit: number; cursor?: string | undefined },
    scope?: ServiceScope,
  ): Answer {
    return this.#shared("page", { ...filter, ...page }, scope, () => {
      return pageText(
        within(this.#registry.select(filter, page.cursor), scope),
        filter,
        page.limit,
        this.#registry.seq,
      );
    });
  }

  /** The endpoints of every service. */
  endpoints(scope?: ServiceScope): Answer {
    return this.#shared("endpoints", {}, scope, () => {
      return endpointsText(within(this.#registry.select({}), scope));
    });
  }

  /** The dependency graph around a service, within the scope. @throws {HarnessError} `not_found`. */
  dependencies(
    { name }: ActionParams<"get_dependencies">,
    scope?: ServiceScope,
  ): Answer | JsonText {
    const known = this.#registry.nameOf(name);
    const begin = () => dependenciesText(this.#registry.dependencySteps(known), scope);
    // Most graphs are small: looking for a cached text would take as long.
    const { done, value } = begin().next();
    return done === true
      ? new JsonText(value)
      : this.#shared("dependencies", { known }, scope, begin);
  }

  /** A list whose items are encoded one by one. */
  items(items: Iterable<unknown>): Answer {
    return new Answer(() => new Draft(itemsText(items)).finish());
  }

  /** Stops listening. Idempotent. */
  close(): void {
    this.#unsubscribe();
    this.#forget();
  }

  #shared(
    kind: string,
    of: object,
    scope: ServiceScope | undefined,
    begin: () => Work<string>,
  ): Answer {
    const key = JSON.stringify([kind, of, scope?.patterns ?? null]);
    return new Answer(function* (this: Answers) {
      let draft = this.#drafts.get(key);
      if (draft === undefined) {
        this.#made++;
        draft = new Draft(begin());
        this.#keep(key, draft);
      }
      const isNew = draft.text === null;
      const text = yield* draft.finish();
      if (isNew) this.#count(key, draft);
      return text;
    }.bind(this));
  }

  #keep(key: string, draft: Draft): void {
    this.#drafts.set(key, draft);
    for (const oldest of this.#drafts.keys()) {
      if (this.#drafts.size <= ANSWER_CACHE_SIZE) break;
      this.#drop(oldest);
    }
  }

  /** Counts a text that has just been completed, once, and evicts the oldest where there are too many bytes. */
  #count(key: string, draft: Draft): void {
    if (draft.bytes > 0 || draft.text === null || this.#drafts.get(key) !== draft) return;
    draft.bytes = textBytes(draft.text);
    this.#bytes += draft.bytes;
    for (const [oldest, { text }] of this.#drafts) {
      if (this.#bytes <= ANSWER_CACHE_BYTES) return;
      if (text !== null) this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#drafts.get(key)?.bytes ?? 0;
    this.#drafts.delete(key);
  }

  #forget(): void {
    this.#drafts.clear();
    this.#bytes = 0;
  }
}

/** The entries within a scope; without one all are. */
function within(
  entries: Iterable<StoredEntry>,
  scope: ServiceScope | undefined,
): Iterable<StoredEntry | null> {
  return scope === undefined ? entries : coveredOf(entries, scope);
}

/** Yields `null` for an entry outside the scope, so that the reader can pause between many of those. */
function* coveredOf(
  entries: Iterable<StoredEntry>,
  scope: ServiceScope,
): Generator<StoredEntry | null> {
  for (const entry of entries) yield scope.covers(entry.name) ? entry : null;
}

function* dependenciesText(
  steps: Work<DependencyInfo>,
  scope: ServiceScope | undefined,
): Work<string> {
  const graph = yield* steps;
  const { dependencies, dependents, unmet, start_order } = graph;
  if ([dependents, unmet, start_order, ...start_order].every(isShort)) {
    return JSON.stringify(covered(graph, scope));
  }
  const waves = new Joiner();
  for (const wave of start_order) {
    const names = yield* namesText(wave, scope);
    if (names !== "[]") waves.add(names);
    if (!waves.due) continue;
    yield;
    waves.begin();
  }
  return bounded(
    `{"dependencies":${yield* namesText(dependencies, scope)},` +
      `"dependents":${yield* namesText(dependents, scope)},` +
      `"unmet":${yield* namesText(unmet, scope)},"start_order":[${waves.finish()}]}`,
  );
}

function isShort({ length }: readonly unknown[]): boolean {
  return length <= 16;
}

function covered(graph: DependencyInfo, scope: ServiceScope | undefined): DependencyInfo {
  if (scope === undefined) return graph;
  const only = (names: readonly string[]) => names.filter((name) => scope.covers(name));
  return {
    dependencies: only(graph.dependencies),
    dependents: only(graph.dependents),
    unmet: only(graph.unmet),
    start_order: graph.start_order.map(only).filter((wave) => wave.length > 0),
  };
}

function* namesText(names: readonly string[], scope: ServiceScope | undefined): Work<string> {
  const joiner = new Joiner();
  for (const name of names) {
    if (scope?.covers(name) ?? true) joiner.add(JSON.stringify(name));
    if (!joiner.due) continue;
    yield;
    joiner.begin();
  }
  return `[${joiner.finish()}]`;
}

function* listText(entries: Iterable<StoredEntry | null>, filter: ServiceFilter): Work<string> {
  const wants = serviceMatcher(filter);
  const joiner = new Joiner();
  for (const entry of entries) {
    if (entry !== null && wants(entry)) joiner.add(entry.text);
    if (!joiner.due) continue;
    yield;
    joiner.begin();
  }
  return `[${joiner.finish()}]`;
}

/** A page ends at its limit or at {@linkcode MAX_PAGE_BYTES}, when more match. */
function* pageText(
  entries: Iterable<StoredEntry | null>,
  filter: ServiceFilter,
  limit: number,
  seq: number,
): Work<string> {
  const wants = serviceMatcher(filter);
  const joiner = new Joiner();
  let count = 0;
  let last: string | null = null;
  let cursor: string | null = null;
  for (const entry of entries) {
    if (entry !== null && wants(entry)) {
      const text = entry.text;
      if (count === limit || (count > 0 && joiner.length + text.length > MAX_PAGE_BYTES)) {
        cursor = last;
        break;
      }
      joiner.add(text);
      count++;
      last = entry.id;
    }
    if (!joiner.due) continue;
    yield;
    joiner.begin();
  }
  const next = JSON.stringify(cursor === null ? null : cursorAfter(cursor));
  return `{"services":[${joiner.finish()}],"next_cursor":${next},"seq":${seq}}`;
}

function* endpointsText(entries: Iterable<StoredEntry | null>): Work<string> {
  const joiner = new Joiner();
  for (const entry of entries) {
    if (entry !== null) {
      joiner.add(`${JSON.stringify(entry.id)}:${JSON.stringify(entry.endpoints)}`);
    }
    if (!joiner.due) continue;
    yield;
    joiner.begin();
  }
  return `{${joiner.finish()}}`;
}

function* itemsText(items: Iterable<unknown>): Work<string> {
  const joiner = new Joiner();
  for (const item of items) {
    joiner.add(JSON.stringify(item));
    if (!joiner.due) continue;
    yield;
    joiner.begin();
  }
  return `[${joiner.finish()}]`;
}
