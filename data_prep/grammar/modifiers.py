"""Adjectives, adverbs and prepositions, one a line, with their three languages.

Adjectives: English | German predicative[/stem] | French masculine/feminine[/plural[/before a vowel]] and ``b`` if it
stands before the noun | register | classes of nouns.
Adverbs: English | German | French | kind | register. Kinds: ``past``, ``now``, ``future``, ``habit`` (times),
``place``, ``degree``, and ``mid`` and ``mid_perfect`` (beside the finite verb).
Prepositions: English | German:case | French | kind | classes of nouns; ``_`` joins words.
"""

ADJECTIVES = """
new | neu | nouveau/nouvelle/nouveaux/nouvel b | b | doc obj build text fun inst office issue event veh wear
old | alt | vieux/vieille/vieux/vieil b | b | pers obj build text fun animal place veh small room
good | gut | bon/bonne b | b | doc pers food fun text state stuff place
bad | schlecht | mauvais/mauvaise b | b | doc state fun text food
big | groß | grand/grande b | b | inst build place obj issue animal event
small | klein | petit/petite b | b | build place obj animal food small room
long | lang | long/longue b | b | event doc text site
beautiful | schön | beau/belle/beaux/bel b | b | place build fun wear small text
young | jung | jeune/jeune b | b | pers animal
important | wichtig | important/importante | b | doc issue event inst text
dangerous | gefährlich | dangereux/dangereuse | b | issue animal place event
difficult | schwierig | difficile/difficile | b | issue event
necessary | notwendig | nécessaire/nécessaire | c | doc
possible | möglich | possible/possible | c | issue event
public | öffentlich | public/publique | c | debate
political | politisch | politique/politique | c | issue event doc
economic | wirtschaftlich | économique/économique | c | issue doc
social | sozial | social/sociale/sociaux | c | issue doc
national | national | national/nationale/nationaux | c | inst doc
international | international | international/internationale/internationaux | c | inst doc event issue
European | europäisch | européen/européenne | c | inst doc office place
French | französisch | français/française | b | inst office doc pers place text fun food
German | deutsch | allemand/allemande | b | inst office doc pers place text fun veh
regional | regional | régional/régionale/régionaux | c | inst doc
legal | rechtlich | juridique/juridique | c | issue
serious | ernst | grave/grave | c | issue
independent | unabhängig | indépendant/indépendante | c | inst office pers
democratic | demokratisch | démocratique/démocratique | c | inst event
competent | kompetent | compétent/compétente | c | pers office
experienced | erfahren | expérimenté/expérimentée | c | office
poor | arm | pauvre/pauvre | b | land pers
rich | reich | riche/riche | b | land pers
strong | stark | fort/forte | b | inst animal
secret | geheim | secret/secrète | c | doc text
detailed | ausführlich | détaillé/détaillée | c | doc
common | gemeinsam | commun/commune | c | doc issue
ambitious | ehrgeizig | ambitieux/ambitieuse | c | doc office
complicated | kompliziert | compliqué/compliquée | b | doc issue text lang
expensive | teuer/teur | cher/chère | b | obj build small food veh wear
free | frei | libre/libre | b | land room
useful | nützlich | utile/utile | b | doc obj text
modern | modern | moderne/moderne | b | build obj place
famous | berühmt | célèbre/célèbre | b | pers text fun build
happy | glücklich | heureux/heureuse | t | pers
tired | müde | fatigué/fatiguée | t | pers animal
sick | krank | malade/malade | t | pers animal
nice | nett | gentil/gentille b | t | pers animal
funny | lustig | drôle/drôle | t | fun text kin
boring | langweilig | ennuyeux/ennuyeuse | t | fun text event
hot | heiß | chaud/chaude | t | drink stuff
cold | kalt | froid/froide | t | drink stuff room
red | rot | rouge/rouge | t | obj wear
green | grün | vert/verte | t | obj wear
blue | blau | bleu/bleue | t | obj wear
black | schwarz | noir/noire | t | obj animal wear
white | weiß | blanc/blanche | t | obj animal wear build
broken | kaputt | cassé/cassée | t | obj door
dirty | schmutzig | sale/sale | t | wear room animal
quiet | ruhig | calme/calme | t | place room site
"""

ADVERBS = """
yesterday | gestern | hier | past | b
last week | letzte Woche | la semaine dernière | past | b
last year | letztes Jahr | l'année dernière | past | b
two days ago | vor zwei Tagen | il y a deux jours | past | b
in March | im März | en mars | past | c
today | heute | aujourd'hui | now | b
now | jetzt | maintenant | now | b
at the moment | im Moment | en ce moment | now | b
tomorrow | morgen | demain | future | b
next week | nächste Woche | la semaine prochaine | future | b
next year | nächstes Jahr | l'année prochaine | future | b
soon | bald | bientôt | future | b
tonight | heute Abend | ce soir | future | t
every day | jeden Tag | chaque jour | habit | b
every year | jedes Jahr | chaque année | habit | c
in the evening | am Abend | le soir | habit | t
in Germany | in Deutschland | en Allemagne | place | b
in France | in Frankreich | en France | place | b
in Europe | in Europa | en Europe | place | c
in Berlin | in Berlin | à Berlin | place | b
in Paris | in Paris | à Paris | place | b
in Brussels | in Brüssel | à Bruxelles | place | c
here | hier | ici | place | b
already | schon | déjà | mid_perfect | b
finally | endlich | enfin | mid_perfect | b
often | oft | souvent | mid | b
always | immer | toujours | mid | b
sometimes | manchmal | parfois | mid | b
also | auch | aussi | mid | c
very | sehr | très | degree | b
too | zu | trop | degree | b
really | wirklich | vraiment | degree | t
"""

PREPOSITIONS = """
after | nach:d | après
before | vor:d | avant
during | während:g | pendant
in | in:d | dans
near | in_der_Nähe:g | près_de
because of | wegen:g | à_cause_de
despite | trotz:g | malgré
against | gegen:a | contre
about | über:a | sur
"""
