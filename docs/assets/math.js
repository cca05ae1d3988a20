// Formulas of docstrings: pymdownx.arithmatex marks them, MathJax draws them, on every page that is opened.
window.MathJax = {
  tex: {inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]]},
  options: {ignoreHtmlClass: ".*|", processHtmlClass: "arithmatex"},
};
