// Elements of the page, made of strings that become text nodes and nothing else: no markup is ever made from a string.
const elements = (() => {
  const { visible } = words;
  const CODE = /`([A-Za-z0-9][A-Za-z0-9_. -]{0,59})`/;

  function element(name, className, ...children) {
    const made = document.createElement(name);
    if (className) {
      made.className = className;
    }
    made.append(...children);
    return made;
  }

  // Text of data that keeps its own direction of writing to itself.
  function isolated(text) {
    return element("bdi", "", visible(text));
  }

  // A message: what stands in backticks as our own words do is code.
  function message(text) {
    const parts = visible(text).split(CODE);
    return element("bdi", "", ...parts.map((part, place) => (place % 2 ? element("code", "", part) : part)));
  }

  function button(className, label, act) {
    const made = element("button", className, label);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  function number(value) {
    return value.toLocaleString("en-US");
  }

  function counted(value, noun) {
    return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
  }

  return { button, counted, element, isolated, message, number };
})();
