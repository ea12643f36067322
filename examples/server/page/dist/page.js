// Takes the token out of the link before anybody can read it off the address bar, and keeps it for this tab.

const KEY = 'orchflow.token';

const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, '', location.pathname);
}

document.getElementById('host').textContent = location.host;
document.getElementById('token').textContent = sessionStorage.getItem(KEY)
  ? 'This tab has a token. It stays here until the tab is closed.'
  : 'This tab has no token: open the link that the server printed, with everything behind its “#”.';
