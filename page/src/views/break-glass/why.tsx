interface WhyProps {
  readonly isWithoutTicket?: boolean;
}

/** The reason and the ticket, which the audit trail keeps. */
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

/** The `reason` and `ticket` of a form, for the body. */
export function whyOf(form: HTMLFormElement): { readonly reason: string; readonly ticket?: string } {
  const data = new FormData(form);
  const ticket = String(data.get('ticket') ?? '').trim();
  return { reason: String(data.get('reason') ?? '').trim(), ...(ticket ? { ticket } : {}) };
}
