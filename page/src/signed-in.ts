import { broadcastResponseToMainFrame } from '@azure/msal-browser/redirect-bridge';

// The sign-in window returns here: the answer goes to the page that opened it, and the window closes. A sign-out
// returns here too, without an answer, and goes on to the page.
const hasAnswer = location.hash.length > 1 || location.search.length > 1;
if (!hasAnswer) {
  location.replace('/');
} else {
  broadcastResponseToMainFrame().catch(() => {
    const message = document.querySelector('p');
    if (message) {
      message.textContent = 'There is no sign-in to finish here. Close this window, and go back to the page.';
    }
  });
}
