# ruff: noqa: RUF001 - that characters look like others is what these captions are for.
"""Two hundred captions that tokenizers get wrong, and a few that the apps' approximation of ftfy is not for."""

from __future__ import annotations

import random

COUNT = 200
_SEED = 5

_WRITTEN = (
    "",
    " ",
    "\t\n",
    "a photo of a cat",
    "A PHOTO of a   Cat!!",
    "  leading and trailing  ",
    "tabs\tand\nnew lines\r\nand carriage\rreturns",
    "no\u00a0break\u2003em\u2009thin\u3000ideographic spaces",
    "line\u2028separator and paragraph\u2029separator",
    "vertical\x0btab, form\x0cfeed, unit\x1fseparator",
    "zero\u200bwidth\u200cjoiners\u200d and a\u2060word joiner",
    "byte order mark \ufeff inside",
    "bell \x07 and delete \x7f characters",
    "\x1b[1;31mred\x1b[0m terminal colours",
    # Contractions, in every case, and with other apostrophes.
    "it's the dog's bone; they're happy, aren't they?",
    "I'VE, WE'LL, HE'D, I'M, DON'T",
    "it\u2019s a \u2018single\u2019 and \u201cdouble\u201d quoted caption",
    "rock\u02bcn\u02bcroll and \u201alow\u201b quotes \u201ehere\u201f",
    "'s 't 're 've 'm 'll 'd",
    "'\u017f is a long s after an apostrophe",
    "don''t ''quote'' '''this'''",
    # Figures and punctuation.
    "3.5% of 1,024 photographs were taken in 2024",
    "½ cup, 10³ m², №5, Ⅷ, ① and ٣٤٥",
    "$9.99 | £5 | €7,50 | ¥100 | ₹250",
    "C++ & C# && a||b -> c != d",
    "e-mail: someone@example.org, https://example.org/a?b=c&d=e#f",
    "----====____****",
    "...!!!???",
    "a-b_c.d,e;f:g/h\\i|j",
    "(parentheses) [brackets] {braces} <angles>",
    "#hashtag @mention 100% :-) :D <3",
    "100000000000000000000000000000",
    # References, closed, open, doubled, unknown, wrong.
    "fish &amp; chips &lt;tasty&gt;",
    "fish &amp;amp; chips",
    "fish &amp;amp;amp;amp; chips",
    "copyright &copy 2024, caf&eacute, &notit; &notin; &not",
    "&hellip;&mdash;&ndash;&nbsp;&quot;&apos;&#39;",
    "&#128512; &#x1F600; &#X1f600 &#0; &#1; &#128; &#x9f; &#xD800; &#x110000; &#99999999999;",
    "&NotARef; &; &#; &#x; &&amp; & amp;",
    "P&EACUTE;REZ and STRA&SZLIG;E",
    "&Jscr;ohn &HilbertSpace;ancock &checkmark;",
    "a<b &lt; c &amp; d",
    "line with <\nand &eacute; below it",
    "&ampersand &ltd &gte &quote &copyright;",
    "&NotEqualTilde; &bne; &fjlig; &ThickSpace;x",
    # Letters of Europe, composed and decomposed, ligatures, full width.
    "naïve café, crème brûlée & jalapeño",
    "nai\u0308ve cafe\u0301, cre\u0300me bru\u0302le\u0301e",
    "ﬁne ﬂuﬀy oﬃce baﬄes ﬆones ĳs Ǆ ǅ ǆ ŉ",
    "ＬＯＵＤ　ＮＯＩＳＥＳ！ １２３",
    "Ｕﾀｰﾝ ﾊﾟﾋﾟﾌﾟ ﾡ ￦",
    "ÅNGSTRÖM Å Å ΩΩ KK",
    "GROSSE STRAẞE und große Straße",
    "ΟΔΥΣΣΕΥΣ και ΣΑΣ, τέλος Σ.",
    "6Σ u6Σ aΣ aΣ6 aΣ. aΣ.b aΣ'Α Α·Σ Α\u0301Σ\u0301 Σ ΣΣ",
    "İstanbul ve ISPARTA, ığdır",
    "Łódź, Žižkov, Ğ, ș, đ, ð, þ, æ, ø, œ",
    "Ǆep ǅep ǆep, ŉ",
    "a\u0316\u0301 order of marks a\u0301\u0316",
    "e\u0301\u0302\u0303\u0304\u0305 a heap of marks",
    "\u0301 a mark alone, and at the end\u0308",
    "soft\u00adhyphen and non\u2011breaking hyphen",
    "quotes «guillemets» ‹single› „German“ 「日本」",
    "dashes - – — ― and minus −",
    # Other scripts.
    "東京タワーの夜景",
    "雪の上の赤い狐、２匹。",
    "红色的圆圈在蓝色正方形上面",
    "繁體中文：一隻貓",
    "고양이 사진",
    "\u1100\u1161\u11a8 한글 자모",
    "собака на пляже",
    "СОБАКА Ё Й и\u0306",
    "γάτα στον κήπο",
    "قطة على السجادة",
    "مُحَمَّد ـــ لا",
    "كلب \u200fو\u200eقطة \u202b123\u202c",
    "שלום, חתול על המחצלת",
    "שָׁלוֹם",
    "बिल्ली की तस्वीर",
    "क्षत्रिय ज़िन्दगी ड़",
    "বিড়াল ছবি ো",
    "பூனை படம்",
    "รูปภาพของแมว",
    "ແມວ ພາສາລາວ",
    "ကြောင် ဓာတ်ပုံ",
    "ឆ្មា",
    "კატა ᲙᲐᲢᲐ",
    "կատու ԿԱՏՈՒ և",
    "ድመት",
    "ᏣᎳᎩ ꮳꮃꭹ",
    "𝒜 𝔅 𝕮 𝟏𝟐 mathematical letters",
    "𠮷野家 and 𝄞 beyond the first plane",
    # Emoji.
    "a rocket 🚀 and a family 👨\u200d👩\u200d👧 at the beach 🏖️",
    "👍🏽 👩🏿\u200d🚀 🇩🇪🇯🇵 1️⃣ ❤️ ❤",
    "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f is the flag of Wales",
    "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
    "text🚀without🚀spaces",
    "☃☂☀ ♥ ♪ ✓ ✗ ★",
    # Special texts.
    "the tokens <end_of_text> and <start_of_text> inside a sentence",
    "<START_OF_TEXT> in capitals <End_Of_Text>",
    "<start_of_text><start_of_text>",
    "<start_of_text <end_of_text > < start_of_text>",
    "x<end_of_text>y",
    # Long words, long sentences, and what a pruned vocabulary does not have.
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "pneumonoultramicroscopicsilicovolcanoconiosis " * 4,
    "a" * 300,
    "ab" * 150,
    "word " * 120,
    " ".join(f"{count} small red circles next to {count} large blue squares" for count in range(1, 13)),
    "zxqj wvkz qqqq xyzzy",
    "a red circle above two blue squares",
    "an orange triangle left of a green pentagon",
    "three small yellow stars on a black background",
)

_PARTS = (
    "a photo of", "A", "the", "red", "Circle", "two", "BLUE", "squares", "it's", "they're", "I'll", "12", "3.5", "٣",
    "naïve", "cafe\u0301", "東京", "狐", "собака", "قطة", "שלום", "बिल्ली", "γάτα", "Σ", "İ", "ß",
    "🚀", "👩\u200d🚀", "🇯🇵", "❤️",
    "&amp;", "&lt;", "&eacute;", "&#233;", "&#x1F600;", "&copy", "ﬁ", "Ａ", "ﾀ",
    "“", "”", "’", "–", "…", "!", "?!", ",", ".",
    "(", ")", "/", "-", "'s", "'", '"', "$", "%", "#", "@", "<start_of_text>", "<end_of_text>",
    "\t", "\n", "\u00a0", "\u200b",
)  # fmt: skip

# ftfy takes these for text that was decoded in a wrong way and mends it; the apps leave it as it is.
LEFT_OUT = (
    "schÃ¶n",
    "âœ” No problems",
    "The Mona Lisa doesnÃ¢â‚¬â„¢t have eyebrows.",
    "l’humanitÃ©",
)


def captions() -> list[str]:
    """The captions, the same on every call, none twice."""
    generator = random.Random(_SEED)
    found = dict.fromkeys(_WRITTEN)
    while len(found) < COUNT:
        parts = (generator.choice(_PARTS) for _ in range(generator.randint(2, 14)))
        joined = "".join(part + generator.choice((" ", " ", "", "  ")) for part in parts)
        found.setdefault(joined)
    return list(found)
