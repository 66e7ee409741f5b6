// Files of recording and alerting rules in words. Pure.
import type { CheckedRules, PromAlertingRule, PromRule, PromRuleGroup, RuleFile, RuleProblem } from "@/api/rulefiles";
import { lasting } from "./incident";

/** What the address calls a file: a stored one and one on disk may have the same name. */
export const fileKey = (f: Pick<RuleFile, "source" | "name">): string => `${f.source}/${f.name}`;

/** The groups of a file, in its order. A stored file shows its name alone, one on disk its path: they never meet. */
export const groupsOf = (f: RuleFile, groups: readonly PromRuleGroup[]): PromRuleGroup[] => groups.filter((g) => g.file === f.name);

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** What is wrong with the name of a new file. */
export function nameFault(name: string, files: readonly RuleFile[]): string | null {
  if (!NAME.test(name)) return "Letters, digits, dots, dashes and underscores, at most 100.";
  if (files.some((f) => f.source === "api" && f.name === name)) return "There is a file of this name.";
  return null;
}

const plural = (n: number, one: string) => `${n} ${one}${n === 1 ? "" : "s"}`;

/** "2 groups: 1 recording rule, 3 alerting rules". */
export const countWords = (c: Pick<CheckedRules, "groups" | "recording" | "alerting">): string =>
  c.recording + c.alerting === 0 ? "No rule yet." : `${plural(c.groups, "group")}: ${[c.recording && plural(c.recording, "recording rule"), c.alerting && plural(c.alerting, "alerting rule")].filter(Boolean).join(", ")}.`;

/** "Line 4", or nothing where it is about the file. */
export const placeWords = (p: RuleProblem): string => (p.line === 0 ? "" : `Line ${p.line}`);

/** How a rule stands, in a word or two. */
export function stateWords(r: PromRule): { text: string; tone: "bad" | "off" | "fine" } {
  if (r.health === "err") return { text: "cannot be evaluated", tone: "bad" };
  if (r.health === "unknown") return { text: "not evaluated yet", tone: "off" };
  if (r.type === "recording") return { text: "", tone: "fine" };
  const firing = alertsIn(r, "firing");
  if (firing > 0) return { text: `${firing} firing`, tone: "bad" };
  const pending = alertsIn(r, "pending");
  return pending > 0 ? { text: `${pending} pending`, tone: "off" } : { text: "", tone: "fine" };
}

const alertsIn = (r: PromAlertingRule, state: string) => (r.alerts ?? []).filter((a) => a.state === state).length;

/** "for 10m, kept for 5m": what an alerting rule waits for. */
export function waitWords(r: PromAlertingRule): string {
  const parts = [];
  if (r.duration > 0) parts.push(`for ${lasting(r.duration * 1000)}`);
  if (r.keepFiringFor > 0) parts.push(`kept firing for ${lasting(r.keepFiringFor * 1000)}`);
  return parts.join(", ");
}

/** Labels as PromQL writes them, without the alert's name, which is told beside them. */
export function labelWords(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).filter(([k]) => k !== "alertname").map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  return parts.length === 0 ? "" : `{${parts.join(", ")}}`;
}

/** Where a problem is in a text, in characters from its beginning. */
export function offsets(text: string, p: RuleProblem): { from: number; to: number } {
  const lines = text.split("\n");
  const n = Math.min(Math.max(p.line, 1), lines.length) - 1;
  const start = lines.slice(0, n).reduce((sum, l) => sum + l.length + 1, 0);
  const line = lines[n]!;
  const indent = line.length - line.trimStart().length;
  const from = start + (p.column > 0 ? Math.min(p.column - 1, line.length) : indent);
  const to = start + line.trimEnd().length;
  // A fault behind the end of a line is shown at its last character.
  return from < to ? { from, to } : { from: Math.max(start, to - 1), to: Math.max(to, start) };
}

export const FIRST_FILE = `groups:
  - name: example
    rules:
      - record: service:errors:ratio5m
        expr: |
          sum by (service) (rate(traces_span_metrics_calls_total{status_code="STATUS_CODE_ERROR"}[5m]))
            / sum by (service) (rate(traces_span_metrics_calls_total[5m]))
      - alert: ManyErrors
        expr: service:errors:ratio5m > 0.05
        for: 5m
        labels:
          severity: warning
        annotations:
          summary: "{{ $value | humanizePercentage }} of the calls of {{ $labels.service }} fail"
`;
