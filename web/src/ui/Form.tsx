// Fields of forms: label, help and fault belong together, for eyes and for screen readers alike.
import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from "react";
import css from "./Form.module.css";

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null;
  /** Half of a row where there is room. */
  half?: boolean;
  children: (ids: { id: string; "aria-invalid": boolean; "aria-describedby": string | undefined }) => ReactNode;
}

/** A label above its control, help and fault below. */
export function Field({ label, hint, error, half, children }: FieldProps) {
  const id = useId();
  const described = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ") || undefined;
  return (
    <div className={css.field} data-half={half || undefined}>
      <label htmlFor={id} className={css.label}>
        {label}
      </label>
      {children({ id, "aria-invalid": !!error, "aria-describedby": described })}
      {hint && (
        <p id={`${id}-hint`} className={css.hint}>
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} className={css.error} role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

export function Input({ unit, ...rest }: InputHTMLAttributes<HTMLInputElement> & { unit?: string }) {
  const input = <input autoComplete="off" spellCheck={false} {...rest} className={`${css.input} ${rest.className ?? ""}`} />;
  if (!unit) return input;
  return (
    <span className={css.withUnit}>
      {input}
      <span>{unit}</span>
    </span>
  );
}

export function TextArea(props: TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return <textarea rows={3} spellCheck={false} {...props} className={`${css.input} ${css.area} ${props.className ?? ""}`} />;
}

export function Select<T extends string>({ options, value, onChoose, ...rest }: { options: readonly { id: T; label: string }[]; value: T; onChoose: (v: T) => void } & Omit<SelectHTMLAttributes<HTMLSelectElement>, "value" | "onChange">) {
  return (
    <select {...rest} className={`${css.input} ${css.select} ${rest.className ?? ""}`} value={value} onChange={(e) => onChoose(e.target.value as T)}>
      {options.map((o) => (
        <option key={o.id} value={o.id}>
          {o.label}
        </option>
      ))}
    </select>
  );
}

/** On or off, at once or with the form. */
export function Switch({ label, checked, onChange, quiet, disabled }: { label: string; checked: boolean; onChange: (on: boolean) => void; quiet?: boolean; disabled?: boolean }) {
  return (
    <label className={css.switch}>
      <input type="checkbox" role="switch" checked={checked} disabled={disabled} onChange={(e) => onChange(e.target.checked)} />
      <span className={quiet ? "visually-hidden" : undefined}>{label}</span>
    </label>
  );
}

/** Several of a few. */
export function Checks<T extends string>({ label, options, value, onChange }: { label: string; options: readonly { id: T; label: string }[]; value: readonly T[]; onChange: (v: T[]) => void }) {
  return (
    <fieldset className={css.checks}>
      <legend className={css.label}>{label}</legend>
      {options.map((o) => (
        <label key={o.id} className={css.check}>
          <input type="checkbox" checked={value.includes(o.id)} onChange={(e) => onChange(e.target.checked ? [...value, o.id] : value.filter((v) => v !== o.id))} />
          {o.label}
        </label>
      ))}
    </fieldset>
  );
}

/** Fields beside one another, wrapping. */
export function Fields({ children }: { children: ReactNode }) {
  return <div className={css.fields}>{children}</div>;
}

export function FormActions({ children }: { children: ReactNode }) {
  return <div className={css.actions}>{children}</div>;
}
