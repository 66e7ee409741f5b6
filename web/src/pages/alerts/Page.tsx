import { useNavigate } from "@tanstack/react-router";
import { Page } from "@/ui/Panel";
import { Tabs } from "@/ui/Tabs";
import { Channels } from "./Channels";
import { DeliveryLog } from "./DeliveryLog";
import { Mutes } from "./Mutes";
import { alertsRoute, TABS } from "./route";
import { RoutingTab } from "./Routing";
import { RuleFiles } from "./RuleFiles";
import { Rules } from "./Rules";
import { SensitivityTab } from "./Sensitivity";
import { Silences } from "./Silences";
import css from "./Page.module.css";

const LABELS: Record<(typeof TABS)[number], string> = {
  rules: "Rules and SLOs",
  files: "Rule files",
  channels: "Channels",
  routing: "Routing",
  silences: "Silences",
  log: "Delivery log",
  sensitivity: "Sensitivity",
  mutes: "Mutes",
};

export default function AlertsPage() {
  const { tab = "rules" } = alertsRoute.useSearch();
  const navigate = useNavigate({ from: "/alerts" });
  return (
    <Page title="Alerts">
      <Tabs
        label="Alerts"
        panelId="alerts-tab"
        tabs={TABS.map((id) => ({ id, label: LABELS[id] }))}
        value={tab}
        onChange={(id) => void navigate({ search: { tab: id === "rules" ? undefined : id }, replace: true, resetScroll: false })}
      />
      <div id="alerts-tab" role="tabpanel" aria-label={LABELS[tab]} className={css.panel}>
        {tab === "rules" && <Rules />}
        {tab === "files" && <RuleFiles />}
        {tab === "channels" && <Channels />}
        {tab === "routing" && <RoutingTab />}
        {tab === "silences" && <Silences />}
        {tab === "log" && <DeliveryLog />}
        {tab === "sensitivity" && <SensitivityTab />}
        {tab === "mutes" && <Mutes />}
      </div>
    </Page>
  );
}
