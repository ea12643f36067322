/**
 * Begins: takes the pass out of the address bar, puts the page together, connects.
 */

import { App } from "./app.js";
import { takePass } from "./prefs.js";

const app = new App();
document.body.append(app.element);
app.start(takePass());

// A new link pasted into the same window only changes what stands behind the #.
window.addEventListener("hashchange", () => {
  const pass = takePass();
  if (pass !== undefined && location.hash === "") app.start(pass);
});
