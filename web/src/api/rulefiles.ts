// The JSON contract of rule files (query/api/promrules.go) and of how their rules stand (Prometheus' own /api/v1/rules).
import { queryOptions } from "@tanstack/react-query";
import { ApiError, post } from "./client";

// GET /rule-files ; PUT /rule-files/{name} {content} → RuleFile ; DELETE
export interface RuleFile { name: string; source: "file" | "api" /* file: changed on disk only */; content: string; error: string /* why what was read last is not in force */ }
export interface RuleFilesAnswer { files: RuleFile[] }
// POST /rule-files/check {content}
export interface RuleProblem { line: number /* from 1; 0: the whole file */; column: number /* from 1; 0: the whole line */; level: "error" | "warning"; text: string }
export interface CheckedRules { groups: number; recording: number; alerting: number; problems: RuleProblem[] }

export interface PromAlert { labels: Record<string, string>; annotations: Record<string, string>; state: "firing" | "pending" | "inactive"; activeAt?: string; keepFiringSince?: string; value: string }
interface Common { name: string; query: string; labels: Record<string, string>; health: "ok" | "err" | "unknown"; lastError?: string; evaluationTime: number /* s */; lastEvaluation: string }
export interface PromAlertingRule extends Common { type: "alerting"; state: "firing" | "pending" | "inactive" | "unknown"; duration: number; keepFiringFor: number; annotations: Record<string, string>; alerts: PromAlert[] | null }
export interface PromRecordingRule extends Common { type: "recording" }
export type PromRule = PromAlertingRule | PromRecordingRule;
export interface PromRuleGroup { name: string; file: string; interval: number; limit: number; rules: PromRule[]; evaluationTime: number; lastEvaluation: string }

const PAGE = 200;
const MOST_PAGES = 25;

/** All groups, page by page. */
async function ruleGroups(signal: AbortSignal): Promise<PromRuleGroup[]> {
  const groups: PromRuleGroup[] = [];
  let token = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    const q = new URLSearchParams({ group_limit: String(PAGE), ...(token && { group_next_token: token }) });
    const res = await fetch(`/prometheus/api/v1/rules?${q}`, { signal, headers: { Accept: "application/json" } });
    const body = (await res.json().catch(() => ({}))) as { data?: { groups: PromRuleGroup[]; groupNextToken?: string }; error?: string };
    if (!res.ok || !body.data) throw new ApiError({ title: "How the rules stand cannot be told", status: res.status, detail: body.error });
    groups.push(...body.data.groups);
    token = body.data.groupNextToken ?? "";
    if (!token) break;
  }
  return groups;
}

export const ruleGroupsQuery = (pollMs: number | false) => queryOptions({ queryKey: ["/prometheus/rules"], queryFn: ({ signal }) => ruleGroups(signal), refetchInterval: pollMs });

export const checkRules = (content: string, signal?: AbortSignal): Promise<CheckedRules> => post<CheckedRules>("/rule-files/check", { content }, signal);
