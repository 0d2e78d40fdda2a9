import { useState } from 'preact/hooks';

const ARM_ID = /\/subscriptions\/[^\s']*?(\/[^/\s']+\/[^/\s']+)(?=[\s']|$)/g;

/** A command, and a button that copies it. ARM ids are shortened on screen, and copied whole. */
export function Command({ text }: { readonly text: string }) {
  const [said, setSaid] = useState('');
  const [isWhole, setWhole] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      setSaid('Select and copy it by hand');
      setWhole(true);
    }
    window.setTimeout(() => setSaid(''), 4_000);
  };

  return (
    <div class="command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keys */}
      <pre class="text" tabIndex={0}>
        <code>{isWhole ? text : text.replace(ARM_ID, '…$1')}</code>
      </pre>
      <button type="button" class="small" onClick={() => copy()}>
        Copy<span class="hidden"> the command</span>
      </button>
      <span class="said" role="status">
        {said}
      </span>
    </div>
  );
}
