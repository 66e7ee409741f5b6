import { Box, Database, Globe, MessagesSquare } from "lucide-react";
import type { NodeKind } from "@/api/types";

const ICONS = { service: Box, database: Database, messaging: MessagesSquare, external: Globe } as const;

/** What a dependency is: service, database, queue, or something outside. */
export function NodeIcon({ kind, size = 14 }: { kind: NodeKind; size?: number }) {
  const Icon = ICONS[kind] ?? Box;
  return <Icon size={size} aria-label={kind} color="var(--faint)" />;
}
