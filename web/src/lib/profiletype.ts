// What types of profiles and their values mean, in words.
import { format, type Unit } from "./format";

const TYPES: Record<string, string> = {
  cpu: "CPU",
  heap: "Memory",
  allocs: "Allocations",
  goroutine: "Goroutines",
  mutex: "Lock contention",
  block: "Blocking",
  threadcreate: "Threads",
  wall: "Wall time",
  exceptions: "Exceptions",
  lock: "Lock contention",
};

/** A type's name for people. */
export const typeLabel = (type: string): string => TYPES[type] ?? type;

const MEANING: Record<string, string> = {
  "cpu cpu": "Time that functions ran on a CPU; waiting is not in it.",
  "cpu samples": "How often the profiler found a function running.",
  "heap inuse_space": "Memory that is in use, by where it was allocated; the average of the range.",
  "heap inuse_objects": "Objects that are alive, by where they were allocated; the average of the range.",
  "heap alloc_space": "Memory allocated in the range, also what has been freed since.",
  "heap alloc_objects": "Objects allocated in the range, also those freed since.",
  "goroutine goroutine": "Goroutines, by what they are doing; the average of the range.",
  "mutex delay": "Time that others waited for a lock, by where the lock was released.",
  "mutex contentions": "How often others had to wait for a lock, by where it was released.",
  "block delay": "Time spent waiting: for channels, selects and locks.",
  "block contentions": "How often something had to wait: for channels, selects and locks.",
  "wall wall": "Time that passed in functions, waiting included.",
  "wall sample": "How often the profiler looked, by the function that it found; waiting included.",
  "wall samples": "How often the profiler looked, by the function that it found; waiting included.",
  "cpu sample": "How often the profiler found a function running.",
  "heap space": "Memory that is in use, by where it was allocated; the average of the range.",
  "heap objects": "Objects that are alive, by where they were allocated; the average of the range.",
  "goroutine goroutines": "Goroutines, by what they are doing; the average of the range.",
  "exceptions exception": "Exceptions that were thrown, by where.",
  "threadcreate threadcreate": "Threads of the operating system, by what created them.",
};

/** What the base of a unit is counted in, for types that nothing is known of. */
const COUNTED: Record<string, string> = {
  nanoseconds: "Time", microseconds: "Time", milliseconds: "Time", seconds: "Time", bytes: "Bytes",
};

/** One sentence about what a sample type measures, also of types that the product does not know. */
export function meaning(type: string, sampleType: string): string {
  const [name = "", unit = ""] = sampleType.split("/");
  const known = MEANING[`${type} ${name}`] ?? MEANING[`${name} ${name}`];
  if (known) return known;
  const what = name.replaceAll("_", " ");
  const counted = COUNTED[unit];
  if (counted) return `${counted} that the program reports as “${what}”, by the function it was spent in; added up over the range.`;
  if (unit === "count" || unit === "") return `How many “${what}” the program reports, by function; added up over the range.`;
  return `“${what}” in ${unit}, as the program reports it, by function; added up over the range.`;
}

const UNITS: Record<string, Unit> = { nanoseconds: "ns", microseconds: "us", milliseconds: "ms", seconds: "s", bytes: "bytes", count: "count" };

/** pprof's unit as the product's. */
export const unitOf = (unit: string): Unit => UNITS[unit] ?? unit;

/** A value in words: with its unit, and a space before what is not a symbol. */
export function words(v: number, unit: string, of = ""): string {
  const u = unitOf(unit);
  const text = format(v, u);
  return u === "count" && of ? `${text} ${of}` : text;
}
