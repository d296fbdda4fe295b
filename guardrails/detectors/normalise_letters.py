"""Letters of other scripts that look like Latin ones.

Data: each line gives a Latin letter and what is mistaken for it in common typefaces. Only letters that are
hard to tell apart are listed, so that ordinary Greek or Cyrillic words are not rewritten by accident.
"""

from __future__ import annotations

_ROWS = """
a аαɑ
b Ьƅ
c сϲⅽ
d ԁɗ
e еҽ
g ɡց
h һհ
i іıɩι
j јϳ
k κк
l ӏⅼǀ
m м
n пո
o оοօσ
p рρ
q ԛզ
r гᴦ
s ѕꜱ
u υսʋ
v νѵ
w ԝѡ
x хχ
y уүγ
z ᴢ
A АΑ
B ВΒ
C СϹ
D Ꭰ
E ЕΕ
F Ϝ
H НΗ
I ІΙӀ
J Ј
K КΚ
L Ꮮ
M МΜ
N Ν
O ОΟՕ
P РΡ
Q Ԛ
S Ѕ
T ТΤ
V Ѵ
W Ԝ
X ХΧ
Y УΥҮ
Z Ζ
"""

TO_LATIN: dict[int, str] = {
    ord(lookalike): row[0] for row in _ROWS.split("\n") if row for lookalike in row[2:] if lookalike
}
"""From the code point of a lookalike to the Latin letter; what `str.translate` takes."""

LATIN = "".join(map(chr, TO_LATIN))
"""All lookalikes, as the inside of a character class."""
