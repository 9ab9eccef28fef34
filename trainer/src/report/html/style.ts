// The report's style sheet. Blue and vermilion of Okabe and Ito's palette are told apart by all colour vision; dash and point
// shape tell the lines apart without colour.

export const STYLE = `
:root{color-scheme:light dark;--page:#fbfaf7;--card:#fff;--ink:#1d2129;--soft:#5b6472;--line:#e3e1da;--zero:#9aa1ab;
--resnet:#0067a5;--plain:#c9510c;--gap-train:#00785a;--gap-val:#a2508a;--note:#fff4d6;--note-ink:#5c4300}
@media (prefers-color-scheme:dark){:root{--page:#14171c;--card:#1c2027;--ink:#e9ebee;--soft:#a3abb8;--line:#2f353f;--zero:#6b7482;
--resnet:#5cb3ea;--plain:#f19a4b;--gap-train:#3fc79f;--gap-val:#dd92c6;--note:#3a3113;--note-ink:#f4dfa0}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1080px;margin:0 auto;padding:40px 24px 56px}
h1{font-size:clamp(1.6rem,4.5vw,2.4rem);line-height:1.15;letter-spacing:-.02em;margin:0 0 8px;text-wrap:balance}
h2{font-size:1.2rem;margin:44px 0 12px}
h3{font-size:1rem;margin:0}
p{margin:0}
.over{color:var(--soft);font-size:.85rem;margin:0 0 6px;overflow-wrap:anywhere}
.facts{color:var(--soft)}
.note{color:var(--soft);font-size:.82rem}
.hint{background:var(--note);color:var(--note-ink);border-radius:10px;padding:10px 14px;margin-top:18px}
.stats{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:14px;margin-top:22px}
.stat{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:16px 18px}
.stat.resnet{border-top:3px solid var(--resnet)}.stat.plain{border-top:3px dashed var(--plain)}.stat.gap{border-top:3px solid var(--gap-train)}
.stat h3{font-size:.9rem;font-weight:600;color:var(--soft)}
.big{font-size:2.1rem;font-weight:650;letter-spacing:-.02em;line-height:1.2;font-variant-numeric:tabular-nums}
.big small{font-size:.95rem;font-weight:450;letter-spacing:0;color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:14px;padding:16px 16px 10px;display:flex;flex-direction:column;break-inside:avoid}
figcaption{flex:1}
figure.wide{grid-column:1/-1}
.wide .narrow-plot{display:none}
.nobreak{white-space:nowrap}
figure>svg{width:100%;height:auto;margin-top:8px}
.legend{list-style:none;margin:4px 0 0;padding:0;display:flex;flex-wrap:wrap;gap:0 18px;font-size:.88rem}
.legend b{font-variant-numeric:tabular-nums}
.narrow-plot,.wide-plot{display:block}
.sample{width:28px;height:10px;margin-right:6px}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.tick{fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}.zero{stroke:var(--zero);stroke-width:1}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.resnet .line{stroke:var(--resnet)}.plain .line{stroke:var(--plain);stroke-dasharray:6 4;stroke-linecap:butt}
.gap-train .line{stroke:var(--gap-train)}.gap-val .line{stroke:var(--gap-val);stroke-dasharray:2 3;stroke-linecap:butt}
.resnet .dot{fill:var(--resnet)}.plain .dot{fill:var(--plain)}.gap-train .dot{fill:var(--gap-train)}.gap-val .dot{fill:var(--gap-val)}
.behind{fill:none;stroke-width:1;opacity:.45}.resnet .behind{stroke:var(--resnet)}.plain .behind{stroke:var(--plain)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:14px}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{padding:8px 14px;text-align:right;white-space:nowrap;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:600;font-size:.84rem}
th:first-child{text-align:left}
tbody th{font-weight:500}
th .sample{vertical-align:middle}
tr>:first-child{position:sticky;left:0;background:var(--card)}
.scroll+.note{margin-top:8px}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:0 28px;margin:0;font-size:.9rem}
dl div{display:flex;justify-content:space-between;gap:14px;padding:5px 0;border-bottom:1px solid var(--line)}
dl.rows{grid-template-columns:1fr}
dt{color:var(--soft)}
dd{margin:0;text-align:right;overflow-wrap:anywhere}
pre{margin:8px 0 14px;padding:12px 14px;background:var(--card);border:1px solid var(--line);border-radius:10px;white-space:pre-wrap;overflow-wrap:anywhere;font:.88rem/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
footer{margin-top:44px;color:var(--soft);font-size:.82rem}
@media (max-width:700px){main{padding:24px 14px 40px}.charts{grid-template-columns:minmax(0,1fr)}.wide .narrow-plot{display:block}.wide .wide-plot{display:none}figure{padding:14px 10px 8px}th,td{padding:7px 10px}.stat{padding:12px 14px}.stats{grid-template-columns:repeat(2,minmax(0,1fr))}.stat.gap{grid-column:1/-1}}
@media print{:root{color-scheme:light;--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--zero:#777;
--resnet:#0067a5;--plain:#c9510c;--gap-train:#00785a;--gap-val:#a2508a;--note:#fff;--note-ink:#000}
body{font-size:11pt}main{max-width:none;padding:0}h2{break-after:avoid}.stat,tr,dl div{break-inside:avoid}
.scroll{overflow:visible}table{font-size:8.5pt}thead th{font-size:8pt}th,td{padding:3px 6px;white-space:normal}tr>:first-child{position:static}.hint{border:1px solid #777}}
`;
