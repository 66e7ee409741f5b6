// What the questions about profiles answer; see query/profiles*.go.
import { useEffect, useRef } from "react";
import { useQuery } from "@tanstack/react-query";
import type { Scope } from "@/app/range";
import type { BaseParams } from "@/lib/profilebase";
import { plain, scoped } from "./queries";
import type { BandsAnswer, FrameOperationsAnswer, ProfileTargetsAnswer, Range, SpanProfileAnswer } from "./types";

export interface ProfileKind {
  service: string;
  type: string;
  sample_types: string[];
  default_sample_type: string;
  profiles: number;
  last_ms: number;
  versions: string[];
  instances: string[];
}

export interface Frame {
  function: string;
  package: string;
  file: string;
  line: number;
}

/** Calls of a tree in pre-order, as parallel arrays; 0 is the root, whose frame is -1. */
export interface NodeList {
  frame: number[];
  depth: number[];
  self: number[];
  total: number[];
  base_self?: number[];
  base_total?: number[];
}

/** What functions take in all calls, in the order of the frames; one that calls itself counts once. */
export interface FunctionList {
  self: number[];
  total: number[];
  base_self?: number[];
  base_total?: number[];
}

export interface FlameAnswer {
  range: Range;
  sample_type: string;
  unit: string;
  momentary: boolean;
  profiles: number;
  processes: number;
  covered_s: number;
  total: number;
  frames: Frame[];
  nodes: NodeList;
  /** Calls too small to be listed; they count in their callers. */
  pruned: number;
  functions: FunctionList;
  /** Functions left out: all of their calls are, and they take less than any listed call. */
  pruned_functions: number;
}

export interface ProfileSide {
  range: Range;
  profiles: number;
  covered_s: number;
  total: number;
  requests: number;
}

export interface FunctionMove extends Frame {
  self: number;
  base_self: number;
  total: number;
  base_total: number;
  p: number | null;
  significant: boolean;
  shift: boolean;
  new: boolean;
}

export interface ProfileComparison extends FlameAnswer {
  base: ProfileSide;
  this: ProfileSide;
  per_request: boolean;
  mover_unit: string;
  significance: boolean;
  movers: FunctionMove[];
  summary: string;
  note: string;
}

export interface ProfileSeriesAnswer {
  range: Range;
  sample_type: string;
  unit: string;
  momentary: boolean;
  total: (number | null)[];
  series: { name: string; values: (number | null)[] }[];
}

/** Which profiles are meant. */
export interface ProfileChoice {
  service: string;
  type: string;
  sample_type?: string;
  version?: string;
  instance?: string;
  label?: string[];
}

/** GET /profiles/labels */
export interface ProfileLabelsAnswer {
  range: Range;
  labels: { key: string; source: "sample" | "resource"; values: { value: string; count: number }[]; more: boolean }[];
}

const POLL_MS = 30_000;

/** How many functions a chart tells apart. */
export const SERIES_MEMBERS = 8;

/** Calls that an answer lists; the smaller ones beyond count in their callers. */
const FLAME_NODES = 100_000;

/** Calls of the first answer: the smaller ones are narrower than a pixel until one zooms in. */
const FIRST_NODES = 4_000;

export const kindsQuery = (scope: Scope, service?: string) => scoped<{ profiles: ProfileKind[] }>("/profiles", scope, { service }, POLL_MS);
const flameQuery = (scope: Scope, choice: ProfileChoice, nodes: number) => scoped<FlameAnswer>("/profiles/flamegraph", scope, { ...choice, nodes }, POLL_MS);

/** A flame graph: first what can be seen at once, then the smaller calls for those who zoom and search. */
export function useFlame(scope: Scope, choice: ProfileChoice, enabled = true) {
  const polled = scope.live ? POLL_MS : (false as const);
  // Where there is more, only that is asked for again.
  const first = useQuery({ ...flameQuery(scope, choice, FIRST_NODES), enabled, refetchInterval: (q) => (q.state.data?.pruned ? false : polled) });
  const more = enabled && !first.isPlaceholderData && !!first.data?.pruned;
  const whole = useQuery({ ...flameQuery(scope, choice, FLAME_NODES), enabled: more, placeholderData: undefined });
  const before = useRef<FlameAnswer>(undefined);
  const data = first.isPlaceholderData ? (before.current ?? first.data) : ((more ? whole.data : undefined) ?? first.data);
  useEffect(() => void (before.current = data), [data]);
  return { data, error: whole.error ?? first.error, refetch: more ? whole.refetch : first.refetch, isPending: first.isPending, isPlaceholderData: first.isPlaceholderData };
}
/** The calls of all stacks with a function or file that an expression finds, small ones too. */
export const flameThroughQuery = (scope: Scope, choice: ProfileChoice, focus: string) =>
  scoped<FlameAnswer>("/profiles/flamegraph", scope, { ...choice, nodes: FLAME_NODES, focus }, POLL_MS);

export const profileSeriesQuery = (scope: Scope, choice: ProfileChoice) => scoped<ProfileSeriesAnswer>("/profiles/series", scope, { ...choice, members: SERIES_MEMBERS }, POLL_MS);
export const compareQuery = (scope: Scope, choice: ProfileChoice, base: BaseParams) =>
  scoped<ProfileComparison>("/profiles/compare", scope, { ...choice, ...base, nodes: FLAME_NODES }, POLL_MS);
export const labelsQuery = (scope: Scope, { service, type, version, instance }: ProfileChoice) => scoped<ProfileLabelsAnswer>("/profiles/labels", scope, { service, type, version, instance }, POLL_MS);
/** What a function costs a request, with what was expected. */
export const costBandsQuery = (scope: Scope, { service, version }: ProfileChoice, fn: string, symptom: "cpu" | "alloc") => scoped<BandsAnswer>("/bands", scope, { service, version, function: fn, symptom }, 2 * POLL_MS);
export const operationsOfFunction = (scope: Scope, choice: ProfileChoice, fn: string) => scoped<FrameOperationsAnswer>("/profiles/operations", scope, { ...choice, function: fn }, POLL_MS);
/** What was profiled while a span ran, and how exactly that is known. */
export const spanProfileQuery = (trace_id: string, span_id: string) => plain<SpanProfileAnswer>("/profiles/span", { trace_id, span_id });
/** A flame graph of one stretch of time, whatever the page's range. */
export const flameOfQuery = (choice: ProfileChoice, fromMs: number, toMs: number) => plain<FlameAnswer>("/profiles/flamegraph", { ...choice, from: fromMs, to: toMs, nodes: 20_000 });
/** Processes that profiles are fetched from. */
export const targetsQuery = () => plain<ProfileTargetsAnswer>("/profiles/targets", {}, 3_000);
