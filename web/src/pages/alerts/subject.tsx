// Fields that name a service or one of its operations: free text, with those that are known as suggestions.
import { type InputHTMLAttributes, useId } from "react";
import { useQuery } from "@tanstack/react-query";
import { operationsQuery, servicesQuery } from "@/api/queries";
import { useScope } from "@/app/range";
import { Input } from "@/ui/Form";

type Props = Omit<InputHTMLAttributes<HTMLInputElement>, "list" | "value" | "onChange"> & { value: string; onText: (text: string) => void };

export function ServiceInput({ onText, ...rest }: Props) {
  const list = useId();
  const services = useQuery(servicesQuery(useScope()));
  return (
    <>
      <Input {...rest} list={list} onChange={(e) => onText(e.target.value)} />
      <datalist id={list}>
        {services.data?.services.map((s) => <option key={s.service} value={s.service} />)}
      </datalist>
    </>
  );
}

/** The operations of a service, once it is one that is known. */
export function OperationInput({ service, onText, ...rest }: Props & { service: string }) {
  const list = useId();
  const scope = useScope();
  const services = useQuery(servicesQuery(scope));
  const operations = useQuery({ ...operationsQuery(scope, service, "entry"), enabled: !!services.data?.services.some((s) => s.service === service) });
  return (
    <>
      <Input placeholder="all of them" {...rest} list={list} onChange={(e) => onText(e.target.value)} />
      <datalist id={list}>
        {operations.data?.operations.map((o) => <option key={`${o.kind} ${o.name}`} value={o.name} />)}
      </datalist>
    </>
  );
}
