/**
 * Elements made by calls: no markup is ever parsed, so nothing that a program says can become any.
 */

type Child = Node | string | undefined | false;

interface Attributes {
  class?: string;
  [attribute: string]: string | boolean | number | undefined;
}

/** An element with these attributes and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

/** A button that does `act`. */
export function button(attributes: Attributes, act: () => void, ...children: Child[]): HTMLButtonElement {
  const element = h("button", { type: "button", ...attributes }, ...children);
  element.addEventListener("click", act);
  return element;
}

/** Outlines on a grid of 16, drawn with the text's colour. */
const ICONS = {
  plus: "M8 3.25v9.5M3.25 8h9.5",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  list: "M5.75 4.25h7M5.75 8h7M5.75 11.75h7M3 4.25h.01M3 8h.01M3 11.75h.01",
  search: "M7.25 11.75a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.6 10.6l2.9 2.9",
  menu: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  up: "M4 9.75 8 5.75l4 4",
  down: "M4 6.25l4 4 4-4",
  bottom: "M8 3v7.5M4.5 7.25 8 10.75l3.5-3.5M4 13.25h8",
  eye: "M1.75 8S4 3.75 8 3.75 14.25 8 14.25 8 12 12.25 8 12.25 1.75 8 1.75 8ZM8 9.75a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5Z",
  prompt: "M3.5 4.75 7 8l-3.5 3.25M8.25 11.5h4.25",
  link: "M6.75 9.25l2.5-2.5M7.25 5l1.1-1.1a2.6 2.6 0 0 1 3.7 3.7L10.95 8.7M8.75 11l-1.1 1.1a2.6 2.6 0 0 1-3.7-3.7L5.05 7.3",
  alert: "M8 2.5 14.25 13.25H1.75L8 2.5ZM8 6.5v3M8 11.5h.01",
  key: "M10.25 8.75a3 3 0 1 0-2.83-2L2.75 11.4v1.85h2v-1.5h1.5v-1.5l1.45-1.45a3 3 0 0 0 2.55-.05ZM10.75 5.25h.01",
  clip: "M5.75 3.5h-1.5a1 1 0 0 0-1 1v8a1 1 0 0 0 1 1h7.5a1 1 0 0 0 1-1v-8a1 1 0 0 0-1-1h-1.5M5.75 2.5h4.5v2.25h-4.5V2.5Z",
} as const;

/** An icon by its name; the element around it says what it means. */
export function icon(name: keyof typeof ICONS): SVGSVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  set(svg, { viewBox: "0 0 16 16", class: `icon ${name}`, "aria-hidden": "true" });
  const path = document.createElementNS(namespace, "path");
  set(path, { d: ICONS[name] });
  svg.append(path);
  return svg;
}

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
}
