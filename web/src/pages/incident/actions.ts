// What people do to an incident. Each says what was done and, where it can be, offers to undo it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { ApiError, del, post } from "@/api/client";
import type { Mute } from "@/api/types";
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
  const act = (work: () => Promise<unknown>, done: string, failed: string, undo?: () => Promise<unknown>) =>
    run.mutate(work, {
      onSuccess: () => toast(done, undo && { action: { label: "Undo", run: () => run.mutate(undo, { onError: (e) => toast(`Not undone: ${because(e)}`, { tone: "bad" }) }) } }),
      onError: (e) => toast(`${failed}: ${because(e)}`, { tone: "bad" }),
    });
  return {
    busy: run.isPending,
    acknowledge: () => act(() => post(`${path}/acknowledge`), "Acknowledged: it is not repeated to the channels", "Not acknowledged"),
    resolve: () => act(() => post(`${path}/resolve`), "Resolved", "Not resolved"),
    normal: () => act(() => post(`${path}/normal`), "Learned: this is normal", "Not learned", () => del(`${path}/normal`)),
    notNormal: () => act(() => del(`${path}/normal`), "Forgotten: this is not normal", "Not forgotten"),
    mute: (m: MuteRequest) => {
      let made: Mute | undefined;
      act(async () => (made = await post<Mute>("/mutes", m)), "Muted", "Not muted", async () => made && del(`/mutes/${encodeURIComponent(made.id)}`));
    },
    note: (text: string) => run.mutateAsync(() => post(`${path}/notes`, { text })),
  };
}
