import { useQuery } from "@tanstack/react-query";
import { plain } from "@/api/queries";
import type { DetectionState, SilentService } from "@/api/types";

const POLL_MS = 15_000;

/** The services that usually get requests and send no spans. Undefined until known. */
export function useSilent(): readonly SilentService[] | undefined {
  return useQuery(plain<DetectionState>("/detection", {}, POLL_MS)).data?.silent;
}
