interface WhyProps {
  readonly isWithoutTicket?: boolean;
}

/** Why, and by which ticket: what the audit trail has afterwards. */
export function Why({ isWithoutTicket = false }: WhyProps) {
  return (
    <>
      <label class="field">
        <span>Why</span>
        <input name="reason" required minLength={3} maxLength={500} autocomplete="off" />
        <small>In your own words. The audit trail keeps it.</small>
      </label>
      {!isWithoutTicket && (
        <label class="field">
          <span>Ticket (if there is one)</span>
          <input name="ticket" maxLength={100} autocomplete="off" />
        </label>
      )}
    </>
  );
}

/** The body's `reason` and `ticket` of a form. */
export function whyOf(form: HTMLFormElement): { readonly reason: string; readonly ticket?: string } {
  const data = new FormData(form);
  const ticket = String(data.get('ticket') ?? '').trim();
  return { reason: String(data.get('reason') ?? '').trim(), ...(ticket ? { ticket } : {}) };
}
