import type { Finding } from './report.ts';

type FoundNow = Omit<Finding, 'since'>;

/** Keeps once what the findings of a cause have in common, so that ten thousand of them take some megabytes. */
export class SharedTexts {
  readonly #texts = new Map<string, string>();
  readonly #causes = new Map<string, Finding['cause']>();

  /** The same finding, with what it has in common with others. */
  share(finding: FoundNow): FoundNow {
    const { is, shouldBe, fix, command, cause } = finding;
    return {
      ...finding,
      is: this.#text(is),
      shouldBe: this.#text(shouldBe),
      fix: this.#text(fix),
      ...(command === undefined ? {} : { command: this.#text(command) }),
      cause: this.#cause(cause),
    };
  }

  #text(text: string): string {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#texts.set(text, text);
    return text;
  }

  #cause(cause: Finding['cause']): Finding['cause'] {
    const known = this.#causes.get(cause.id);
    if (known) return known;
    this.#causes.set(cause.id, cause);
    return cause;
  }
}
