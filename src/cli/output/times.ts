/**
 * Times in tables: how long ago for people, whole where `--wide` asks for it.
 *
 * @module
 */
import { formatAge } from "../../util/units.ts";

/** `3m`: the time since `time`, which is RFC 3339. */
export function ageOf(time: string, now: number = Date.now()): string {
  const at = Date.parse(time);
  return Number.isNaN(at) ? time : formatAge(now - at);
}

/** `2026-11-23T12:16:06Z`: a time without its fraction. */
export function fullTime(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}
