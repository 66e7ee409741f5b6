// The rail's entries: one list, so that a later page is one line here.
import { Activity, BellRing, Boxes, ChartLine, Flame, LayoutDashboard, type LucideIcon, Network, ScrollText, Server, Settings, Siren, Waypoints } from "lucide-react";

export interface NavEntry {
  to: `/${string}`;
  label: string;
  icon: LucideIcon;
  /** The letter after "g". */
  key: string;
}

export const NAV: readonly NavEntry[] = [
  { to: "/services", label: "Services", icon: Boxes, key: "s" },
  { to: "/map", label: "Map", icon: Network, key: "m" },
  { to: "/hosts", label: "Hosts", icon: Server, key: "h" },
  { to: "/traces", label: "Traces", icon: Waypoints, key: "t" },
  { to: "/logs", label: "Logs", icon: ScrollText, key: "l" },
  { to: "/explore", label: "Metrics", icon: ChartLine, key: "c" },
  { to: "/dashboards", label: "Dashboards", icon: LayoutDashboard, key: "d" },
  { to: "/profiles", label: "Profiles", icon: Flame, key: "p" },
  { to: "/incidents", label: "Incidents", icon: Siren, key: "n" },
  { to: "/alerts", label: "Alerts", icon: BellRing, key: "a" },
  { to: "/ingest", label: "Ingest", icon: Activity, key: "i" },
  { to: "/settings", label: "Settings", icon: Settings, key: "," },
];
