// What the questions about profiles answer; see query/profiles*.go.
import type { Scope } from "@/app/range";
import { scoped } from "./queries";
import type { Range } from "./types";

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

export interface FlameAnswer {
  range: Range;
  sample_type: string;
  unit: string;
  momentary: boolean;
  profiles: number;
  processes: number;
  covered_s: number;
  total: number;
  pruned: number;
  frames: Frame[];
  nodes: NodeList;
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

const POLL_MS = 30_000;

export const kindsQuery = (scope: Scope, service?: string) => scoped<{ profiles: ProfileKind[] }>("/profiles", { ...scope, env: undefined }, { service }, POLL_MS);
export const flameQuery = (scope: Scope, choice: ProfileChoice) => scoped<FlameAnswer>("/profiles/flamegraph", { ...scope, env: undefined }, { ...choice, nodes: 50_000 }, POLL_MS);
export const profileSeriesQuery = (scope: Scope, choice: ProfileChoice) => scoped<ProfileSeriesAnswer>("/profiles/series", { ...scope, env: undefined }, { ...choice, members: 8 }, POLL_MS);
export const compareQuery = (scope: Scope, choice: ProfileChoice, base: { base_from?: string; base_to?: string; base_version?: string; base_instance?: string }) =>
  scoped<ProfileComparison>("/profiles/compare", { ...scope, env: undefined }, { ...choice, ...base, nodes: 50_000 }, POLL_MS);
