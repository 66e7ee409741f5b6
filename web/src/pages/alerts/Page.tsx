import { Page } from "@/ui/Panel";

export default function AlertsPage() {
  return <Page title="Alerts">{null}</Page>;
}
