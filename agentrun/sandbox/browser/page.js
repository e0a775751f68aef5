// What is asked of a page. It runs in a world of its own, where the page's scripts can neither see nor change it.
(() => {
  const INTERACTIVE =
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=link], [role=tab], " +
    "[role=menuitem], [role=checkbox], [role=option], [contenteditable=''], [contenteditable=true], [onclick]";
  // A page may give an element the name of anything that a document has; it does not hide what the prototype has.
  const own = (name) => {
    const { get, value } = Object.getOwnPropertyDescriptor(Document.prototype, name);
    return get ? get.call(document) : value.bind(document);
  };
  const query = (tree, selector) =>
    (tree === document ? Document : DocumentFragment).prototype.querySelector.call(tree, selector);
  const queryAll = (tree, selector) =>
    (tree === document ? Document : DocumentFragment).prototype.querySelectorAll.call(tree, selector);
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const squeezed = (text) => (text ?? "").replace(/\s+/g, " ").trim();

  // The document, and the open shadow trees in it.
  function* trees(root) {
    yield root;
    for (const element of queryAll(root, "*")) if (element.shadowRoot) yield* trees(element.shadowRoot);
  }

  function withText(wanted) {
    const exact = /^(["']).*\1$/.test(wanted);
    const text = squeezed(exact ? wanted.slice(1, -1) : wanted).toLowerCase();
    const says = (element) => {
      const said = squeezed(element.innerText || element.value || element.getAttribute("aria-label")).toLowerCase();
      return exact ? said === text : said.includes(text);
    };
    for (const tree of trees(document)) {
      for (const element of queryAll(tree, "*")) {
        const skipped = element.closest("head, script, style, noscript");
        if (!skipped && says(element) && ![...element.children].some(says)) return element;
      }
    }
    return null;
  }

  function find(selector) {
    if (selector.startsWith("text=")) return withText(selector.slice(5));
    if (selector.startsWith("xpath=") || selector.startsWith("//")) {
      const path = selector.replace(/^xpath=/, "");
      return own("evaluate")(path, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue;
    }
    for (const tree of trees(document)) {
      const found = query(tree, selector.replace(/^css=/, ""));
      if (found) return found;
    }
    return null;
  }

  const box = (element) => element.getBoundingClientRect();
  const same = (one, other) => ["x", "y", "width", "height"].every((side) => one[side] === other[side]);

  function visible(element) {
    const { width, height } = box(element);
    return width > 0 && height > 0 && getComputedStyle(element).visibility !== "hidden";
  }

  function above(x, y) {
    let top = own("elementFromPoint")(x, y);
    while (top?.shadowRoot?.elementFromPoint(x, y)) {
      const inner = top.shadowRoot.elementFromPoint(x, y);
      if (inner === top) break;
      top = inner;
    }
    return top;
  }

  function belongs(element, other) {
    for (let one = other; one; one = one.parentNode ?? one.host) if (one === element) return true;
    return element.labels ? [...element.labels].some((label) => label.contains(other)) : false;
  }

  // Where it can be clicked now, or why it cannot.
  async function place(selector) {
    const element = find(selector);
    if (!element) return { why: "there is no such element" };
    if (!visible(element)) return { why: "it is not visible" };
    if (element.matches(":disabled, [aria-disabled=true]")) return { why: "it is disabled" };
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const before = box(element);
    await pause(20);
    const after = box(element);
    if (!same(before, after)) return { why: "it keeps moving" };
    const part = element.getClientRects()[0] ?? after;
    const [x, y] = [part.x + part.width / 2, part.y + part.height / 2];
    const top = above(x, y);
    if (!top || !belongs(element, top)) {
      return { why: `it is covered by ${top ? described(top) : "nothing that can be clicked"}` };
    }
    return { x, y };
  }

  async function waited(tried, patience) {
    const end = Date.now() + patience;
    for (;;) {
      const found = await tried();
      if (found.why === undefined || Date.now() >= end) return found;
      await pause(50);
    }
  }

  const spot = (selector, patience) => waited(() => place(selector), patience);

  function changed(element) {
    for (const kind of ["input", "change"]) element.dispatchEvent(new Event(kind, { bubbles: true, composed: true }));
  }

  function choose(element, value) {
    const option = [...element.options].find((one) => one.value === value || squeezed(one.label) === squeezed(value));
    if (!option) return { why: `it has no option ${JSON.stringify(value)}` };
    element.value = option.value;
    changed(element);
    return { done: true };
  }

  // Puts a value where typing is no way to; where it is, selects what is there, to be typed over.
  function prepare(selector, value) {
    const element = find(selector);
    if (!element) return { why: "there is no such element" };
    if (!visible(element)) return { why: "it is not visible" };
    if (element.matches(":disabled, :read-only:not(select):not([type=checkbox]):not([type=radio])")) {
      return { why: "it cannot be changed" };
    }
    if (element instanceof HTMLSelectElement) return choose(element, value);
    if (/^(checkbox|radio)$/.test(element.type)) {
      if (element.checked !== !/^(false|off|0|)$/i.test(value)) element.click();
      return { done: true };
    }
    if (/^(color|date|datetime-local|month|range|time|week)$/.test(element.type)) {
      element.value = value;
      if (value && element.value !== value) return { why: `it does not take ${JSON.stringify(value)}` };
      changed(element);
      return { done: true };
    }
    if (!(element.isContentEditable || "value" in element)) return { why: "nothing can be filled in there" };
    element.focus();
    if (element.select) element.select();
    else getSelection().selectAllChildren(element);
    return { done: false };
  }

  const fill = (selector, value, patience) => waited(async () => prepare(selector, value), patience);

  function focus(selector, patience) {
    return waited(async () => {
      const element = find(selector);
      if (!element) return { why: "there is no such element" };
      if (!visible(element)) return { why: "it is not visible" };
      element.focus();
      if (/^(text|search|tel|url|password|textarea)$/.test(element.type)) {
        element.setSelectionRange(element.value.length, element.value.length);
      }
      return {};
    }, patience);
  }

  function files(selector) {
    const element = find(selector);
    return element instanceof HTMLInputElement && element.type === "file" ? element : null;
  }

  function attribute(name, value) {
    return `[${name}=${JSON.stringify(value)}]`;
  }

  // A selector that finds this element and no other.
  function selectorOf(element) {
    const tag = element.localName;
    const single = (selector) => queryAll(document, selector).length === 1;
    if (element.id && single(`#${CSS.escape(element.id)}`)) return `#${CSS.escape(element.id)}`;
    for (const name of ["name", "aria-label", "placeholder", "href", "value"]) {
      const value = element.getAttribute(name);
      if (value && value.length < 100 && single(tag + attribute(name, value))) return tag + attribute(name, value);
    }
    const parent = element.parentElement;
    if (!parent || element === own("body")) return tag;
    const place = [...parent.children].filter((one) => one.localName === tag).indexOf(element) + 1;
    return `${selectorOf(parent)} > ${tag}:nth-of-type(${place})`;
  }

  function described(element) {
    const name = squeezed(
      element.innerText || element.getAttribute("aria-label") || element.placeholder || element.title || element.name
    ).slice(0, 80);
    const kind = element.getAttribute("role") ?? (element.localName === "input" ? element.type : element.localName);
    return name ? `${kind} "${name}"` : kind;
  }

  function read(most) {
    const elements = [];
    for (const element of queryAll(document, INTERACTIVE)) {
      if (elements.length >= most) break;
      if (!visible(element)) continue;
      const value = /^(input|textarea|select)$/.test(element.localName) && element.type !== "password";
      elements.push({
        selector: selectorOf(element),
        description: described(element),
        value: value ? String(/^(checkbox|radio)$/.test(element.type) ? element.checked : element.value) : "",
      });
    }
    return { url: location.href, title: own("title"), text: own("body")?.innerText ?? "", elements };
  }

  function visit() {
    const [first] = performance.getEntriesByType("navigation");
    return { url: location.href, title: own("title"), status: first?.responseStatus || null };
  }

  // A form is sent, and a script goes elsewhere, only after what led to it is over.
  async function settled() {
    await pause(0);
    await pause(5);
    return true;
  }

  const html = () => own("documentElement").outerHTML;
  return { fill, files, focus, html, read, settled, spot, visit };
})()
