/** Why a retention cannot be saved, or null. The text is the field's, so it may be anything. */
export function retentionError(text: string, min: number, max: number): string | null {
  const n = Number(text.trim());
  if (text.trim() === "" || !Number.isFinite(n)) return "Enter a number of days.";
  if (!Number.isInteger(n)) return "Whole days only.";
  if (n < min || n > max) return `Between ${min} and ${max} days.`;
  return null;
}
