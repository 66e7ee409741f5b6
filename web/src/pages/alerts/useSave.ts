// Saving and removing, the same way for everything on this page: what was done is said, what failed stays in the form.
import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/client";
import { toast } from "@/app/toast";

export interface Fault {
  text: string;
  /** The part of the input it is about, as the API names it. */
  field: string;
}

export function faultOf(e: unknown): Fault {
  if (!(e instanceof ApiError)) return { text: "It could not be sent.", field: "" };
  const field = (e.problem as { field?: string }).field ?? "";
  return { text: e.detail ?? e.message, field };
}

/** `keys` are the questions whose answers change. */
export function useSave(...keys: string[]) {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<Fault | null>(null);
  const run = async <T,>(work: () => Promise<T>, done: string, undo?: () => Promise<unknown>): Promise<T | undefined> => {
    setBusy(true);
    setFault(null);
    try {
      const made = await work();
      await Promise.all(keys.map((k) => client.invalidateQueries({ queryKey: [k] })));
      if (done) toast(done, undo && { action: { label: "Undo", run: () => void run(undo, "Undone") } });
      return made;
    } catch (e) {
      const f = faultOf(e);
      setFault(f);
      toast(`Not done: ${f.text}`, { tone: "bad" });
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return { busy, fault, run, clear: () => setFault(null), errorOf: (field: string) => (fault && fault.field.endsWith(field) && field ? fault.text : null) };
}

export type Saving = ReturnType<typeof useSave>;
