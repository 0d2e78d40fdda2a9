import { broadcastResponseToMainFrame } from '@azure/msal-browser/redirect-bridge';

// Where the sign-in window comes back to: hands the answer to the page that opened it, and closes. A sign-out comes back
// here too, without an answer, and goes on to the page.
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
