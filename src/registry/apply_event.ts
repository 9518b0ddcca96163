/**
 * Applies events to a map of entries: for a client's mirror, a recovery tool, and the registry's tests.
 *
 * @module
 */
import type { ServiceEntry } from "../model/service.ts";
import type { RegistryEvent } from "../model/event.ts";

/**
 * Applies one event to a map of entries by id. All events from seq 1, or a snapshot and all events after
 * it, in order, give exactly the registry's state.
 *
 * An event of an entry that is not in the map is ignored: a mirror of a filtered subscription sees only
 * what it asked for.
 *
 * @example Usage
 * ```ts
 * import { MemoryStore, type ServiceEntry } from "@harness/service-registry";
 * import { applyEvent, Registry } from "@harness/service-registry/registry";
 *
 * await using registry = await Registry.open(new MemoryStore());
 * const mirror = new Map<string, ServiceEntry>();
 * registry.subscribe((event) => applyEvent(mirror, event));
 * ```
 */
export function applyEvent(services: Map<string, ServiceEntry>, event: RegistryEvent): void {
  switch (event.event) {
    case "service_registered":
    case "service_updated":
      services.set(event.data.id, event.data.entry);
      return;
    case "service_deregistered":
      services.delete(event.data.id);
      return;
    case "service_state_changed": {
      const { id, new_state, reason, revision, execution, last_health_check } = event.data;
      change(services, id, {
        state: new_state,
        state_reason: reason,
        last_state_change: event.time,
        updated_at: event.time,
        revision,
        ...(execution && { execution }),
        ...(last_health_check === null && { last_health_check }),
      });
      return;
    }
    case "endpoint_updated": {
      const { id, endpoints, revision } = event.data;
      change(services, id, { endpoints, revision, updated_at: event.time });
      return;
    }
    case "health_check_result": {
      const { id, healthy, message, checked_at, duration_ms, revision } = event.data;
      const last_health_check = { healthy, message, checked_at, duration_ms };
      change(services, id, { last_health_check, revision, updated_at: event.time });
      return;
    }
    case "deployment_progress":
      return;
    default:
      // A new event type must have a case above.
      event satisfies never;
  }
}

function change(
  services: Map<string, ServiceEntry>,
  id: string,
  changed: Partial<ServiceEntry>,
): void {
  const entry = services.get(id);
  if (entry !== undefined) services.set(id, { ...entry, ...changed });
}
