// What people do to an incident. Each says what was done and, where it can be, offers to undo it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError, del, post } from "@/api/client";
import { incidentQuery } from "@/api/queries";
import type { IncidentAnswer, Mute } from "@/api/types";
import { toast } from "@/app/toast";

export interface MuteRequest {
  subject: Mute["subject"];
  until: string | null;
  reason: string;
}

const because = (e: unknown) => (e instanceof ApiError ? (e.detail ?? e.message) : "it could not be sent");

export function useIncidentActions(id: string) {
  const client = useQueryClient();
  const path = `/incidents/${encodeURIComponent(id)}`;
  const again = () => Promise.all([client.invalidateQueries({ queryKey: [path] }), client.invalidateQueries({ queryKey: ["/incidents"] }), client.invalidateQueries({ queryKey: ["/mutes"] })]);
  const run = useMutation({ mutationFn: (work: () => Promise<unknown>) => work(), onSettled: again });
  // Shown at once; the page's own answer follows.
  const happened = (kind: string) =>
    client.setQueryData(incidentQuery(id).queryKey, (old: IncidentAnswer | undefined) => old && { ...old, events: [...old.events, { ts: new Date().toISOString(), kind, text: "", body: null }] });
  const act = (work: () => Promise<unknown>, done: string, failed: string, kind?: string, undo?: () => Promise<unknown>, undone?: string) =>
    run.mutate(() => work().then(() => void (kind && happened(kind))), {
      onSuccess: () => toast(done, undo && { action: { label: "Undo", run: () => run.mutate(() => undo().then(() => void (undone && happened(undone))), { onError: (e) => toast(`Not undone: ${because(e)}`, { tone: "bad" }) }) } }),
      onError: (e) => toast(`${failed}: ${because(e)}`, { tone: "bad" }),
    });
  return {
    busy: run.isPending,
    acknowledge: () => act(() => post(`${path}/acknowledge`), "Acknowledged: it is not repeated to the channels", "Not acknowledged", "acknowledged"),
    resolve: () => act(() => post(`${path}/resolve`), "Resolved", "Not resolved", "resolved"),
    normal: () => act(() => post(`${path}/normal`), "Learned: this is normal", "Not learned", "normal", () => del(`${path}/normal`), "not_normal"),
    notNormal: () => act(() => del(`${path}/normal`), "Forgotten: this is not normal", "Not forgotten", "not_normal"),
    mute: (m: MuteRequest) => {
      let made: Mute | undefined;
      act(async () => (made = await post<Mute>("/mutes", m)), "Muted", "Not muted", undefined, async () => made && del(`/mutes/${encodeURIComponent(made.id)}`));
    },
    note: (text: string) => run.mutateAsync(() => post(`${path}/notes`, { text })),
  };
}
