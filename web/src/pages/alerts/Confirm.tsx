import { useState } from "react";
import { Trash2 } from "lucide-react";
import { Button, IconButton } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { FormActions } from "@/ui/Form";
import css from "./Confirm.module.css";

/** A bin that asks first: for what cannot be brought back. */
export function Confirm({ label, question, yes = "Remove", onYes }: { label: string; question: string; yes?: string; onYes: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <IconButton size="sm" label={label} onClick={() => setOpen(true)}>
        <Trash2 size={14} aria-hidden />
      </IconButton>
      <Dialog open={open} onClose={() => setOpen(false)} label={label}>
        <div className={css.body}>
          <p>{question}</p>
          <FormActions>
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button
              tone="danger"
              onClick={() => {
                setOpen(false);
                onYes();
              }}
            >
              {yes}
            </Button>
          </FormActions>
        </div>
      </Dialog>
    </>
  );
}
