"""Nouns, one a line: English | German | French | register | semantic classes.

English: singular, and the plural where it is irregular. German: gender, nominative, genitive and plural; ``*`` after
the gender marks weak declension; a plural ``-`` marks a mass noun. French: gender, singular, and the plural where it
is irregular; ``!`` after the gender marks an aspirated h. Register: ``c`` chamber, ``t`` talk, ``b`` both.
"""

NOUNS = """
government | f Regierung Regierung Regierungen | m gouvernement | c | inst
parliament | n Parlament Parlaments Parlamente | m parlement | c | inst
commission | f Kommission Kommission Kommissionen | f commission | c | inst
committee | m Ausschuss Ausschusses Ausschüsse | m comité | c | inst
council | m Rat Rates Räte | m conseil | c | inst
court | n Gericht Gerichts Gerichte | m tribunal tribunaux | c | inst
ministry | n Ministerium Ministeriums Ministerien | m ministère | c | inst
company | n Unternehmen Unternehmens Unternehmen | f entreprise | c | inst
party | f Partei Partei Parteien | m parti | c | inst
opposition | f Opposition Opposition - | f opposition | c | inst
authority | f Behörde Behörde Behörden | f autorité | c | inst
union | f Gewerkschaft Gewerkschaft Gewerkschaften | m syndicat | c | inst
organisation | f Organisation Organisation Organisationen | f organisation | c | inst
association | m Verband Verbandes Verbände | f association | c | inst
bank | f Bank Bank Banken | f banque | b | inst
delegation | f Delegation Delegation Delegationen | f délégation | c | inst
group | f Gruppe Gruppe Gruppen | m groupe | b | inst
majority | f Mehrheit Mehrheit Mehrheiten | f majorité | c | inst
assembly | f Versammlung Versammlung Versammlungen | f assemblée | c | inst
minister | m Minister Ministers Minister | m ministre | c | pers office
president | m* Präsident Präsidenten Präsidenten | m président | c | pers office
chancellor | m Kanzler Kanzlers Kanzler | m chancelier | c | pers office
commissioner | m Kommissar Kommissars Kommissare | m commissaire | c | pers office
ambassador | m Botschafter Botschafters Botschafter | m ambassadeur | c | pers office
judge | m Richter Richters Richter | m juge | c | pers office
mayor | m Bürgermeister Bürgermeisters Bürgermeister | m maire | c | pers office
expert | m* Experte Experten Experten | m expert | c | pers office
speaker | m Redner Redners Redner | m orateur | c | pers office
journalist | m* Journalist Journalisten Journalisten | m journaliste | b | pers
citizen | m Bürger Bürgers Bürger | m citoyen | c | pers citizen
voter | m Wähler Wählers Wähler | m électeur | c | pers citizen
worker | m Arbeiter Arbeiters Arbeiter | m ouvrier | c | pers citizen
farmer | m* Bauer Bauern Bauern | m agriculteur | c | pers citizen
soldier | m* Soldat Soldaten Soldaten | m soldat | c | pers
lawyer | m Anwalt Anwalts Anwälte | m avocat | c | pers
colleague | m* Kollege Kollegen Kollegen | m collègue | b | pers
doctor | m Arzt Arztes Ärzte | m médecin | b | pers
teacher | m Lehrer Lehrers Lehrer | m professeur | b | pers
student | m* Student Studenten Studenten | m étudiant | b | pers citizen
neighbour | m* Nachbar Nachbarn Nachbarn | m voisin | b | pers
man men | m Mann Mannes Männer | m homme | b | pers
woman women | f Frau Frau Frauen | f femme | b | pers citizen
child children | n Kind Kindes Kinder | m enfant | b | pers
family | f Familie Familie Familien | f famille | b | pers
friend | m Freund Freundes Freunde | m ami | t | pers kin
brother | m Bruder Bruders Brüder | m frère | t | pers kin
sister | f Schwester Schwester Schwestern | f sœur | t | pers kin
mother | f Mutter Mutter Mütter | f mère | t | pers kin
father | m Vater Vaters Väter | m père | t | pers kin
son | m Sohn Sohnes Söhne | m fils fils | t | pers kin
daughter | f Tochter Tochter Töchter | f fille | t | pers kin
uncle | m Onkel Onkels Onkel | m oncle | t | pers kin
aunt | f Tante Tante Tanten | f tante | t | pers kin
boy | m* Junge Jungen Jungen | m garçon | t | pers
singer | m Sänger Sängers Sänger | m chanteur | t | pers
driver | m Fahrer Fahrers Fahrer | m chauffeur | b | pers
actor | m Schauspieler Schauspielers Schauspieler | m acteur | t | pers
law | n Gesetz Gesetzes Gesetze | f loi | c | doc
proposal | m Vorschlag Vorschlags Vorschläge | f proposition | c | doc
budget | m Haushalt Haushalts Haushalte | m budget | c | doc
report | m Bericht Berichts Berichte | m rapport | c | doc
treaty | m Vertrag Vertrags Verträge | m traité | c | doc
resolution | f Entschließung Entschließung Entschließungen | f résolution | c | doc
amendment | m Änderungsantrag Änderungsantrags Änderungsanträge | m amendement | c | doc
directive | f Richtlinie Richtlinie Richtlinien | f directive | c | doc
programme | n Programm Programms Programme | m programme | c | doc
plan | m Plan Plans Pläne | m plan | b | doc
agreement | n Abkommen Abkommens Abkommen | m accord | c | doc
reform | f Reform Reform Reformen | f réforme | c | doc
rule | f Regel Regel Regeln | f règle | b | doc
measure | f Maßnahme Maßnahme Maßnahmen | f mesure | c | doc
decision | f Entscheidung Entscheidung Entscheidungen | f décision | c | doc state
strategy | f Strategie Strategie Strategien | f stratégie | c | doc
project | n Projekt Projekts Projekte | m projet | b | doc
document | n Dokument Dokuments Dokumente | m document | c | doc text
statement | f Erklärung Erklärung Erklärungen | f déclaration | c | doc
tax taxes | f Steuer Steuer Steuern | m impôt | c | doc
problem | n Problem Problems Probleme | m problème | b | issue problem
crisis crises | f Krise Krise Krisen | f crise | c | issue problem
question | f Frage Frage Fragen | f question | b | issue question
situation | f Lage Lage Lagen | f situation | c | issue state
policy | f Politik Politik - | f politique | c | issue
conflict | m Konflikt Konflikts Konflikte | m conflit | c | issue problem
danger | f Gefahr Gefahr Gefahren | m danger | c | issue
result | n Ergebnis Ergebnisses Ergebnisse | m résultat | b | issue state
success successes | m Erfolg Erfolgs Erfolge | m succès | c | issue
mistake | m Fehler Fehlers Fehler | f erreur | b | issue
consequence | f Folge Folge Folgen | f conséquence | c | issue
interest | n Interesse Interesses Interessen | m intérêt | c | issue
reason | m Grund Grundes Gründe | f raison | b | issue
economy | f Wirtschaft Wirtschaft - | f économie | c | issue
security | f Sicherheit Sicherheit - | f sécurité | c | issue
freedom | f Freiheit Freiheit - | f liberté | c | issue
increase | f Erhöhung Erhöhung Erhöhungen | f! hausse | c | issue
debate | f Debatte Debatte Debatten | m débat | c | event debate gather
meeting | f Sitzung Sitzung Sitzungen | f réunion | c | event gather
conference | f Konferenz Konferenz Konferenzen | f conférence | c | event gather
election | f Wahl Wahl Wahlen | f élection | c | event gather
vote | f Abstimmung Abstimmung Abstimmungen | m vote | c | event gather
war | m Krieg Krieges Kriege | f guerre | c | event
negotiation | f Verhandlung Verhandlung Verhandlungen | f négociation | c | event gather
visit | m Besuch Besuchs Besuche | f visite | b | event
summit | m Gipfel Gipfels Gipfel | m sommet | c | event gather
strike | m Streik Streiks Streiks | f grève | c | event gather
accident | m Unfall Unfalls Unfälle | m accident | b | event
concert | n Konzert Konzerts Konzerte | m concert | t | event fun gather
match matches | n Spiel Spiels Spiele | m match | t | event fun gather
birthday | m Geburtstag Geburtstags Geburtstage | m anniversaire | t | event
trip | f Reise Reise Reisen | m voyage | t | event gather
city | f Stadt Stadt Städte | f ville | b | place land
country | n Land Landes Länder | m pays pays | c | place land
region | f Region Region Regionen | f région | c | place land
border | f Grenze Grenze Grenzen | f frontière | c | site
village | n Dorf Dorfes Dörfer | m village | b | place land
capital | f Hauptstadt Hauptstadt Hauptstädte | f capitale | c | place land
hospital | n Krankenhaus Krankenhauses Krankenhäuser | m hôpital hôpitaux | b | place build
school | f Schule Schule Schulen | f école | b | place build
university | f Universität Universität Universitäten | f université | b | place build
factory | f Fabrik Fabrik Fabriken | f usine | c | place build
museum | n Museum Museums Museen | m musée | b | place build
airport | m Flughafen Flughafens Flughäfen | m aéroport | b | build
bridge | f Brücke Brücke Brücken | m pont | c | build
street | f Straße Straße Straßen | f rue | b | site
harbour | m Hafen Hafens Häfen | m port | c | place build
embassy | f Botschaft Botschaft Botschaften | f ambassade | c | place build
house | n Haus Hauses Häuser | f maison | b | place build
hotel | n Hotel Hotels Hotels | m hôtel | b | place build
kitchen | f Küche Küche Küchen | f cuisine | t | place room
room | n Zimmer Zimmers Zimmer | f chambre | t | place room
garden | m Garten Gartens Gärten | m jardin | t | place room
restaurant | n Restaurant Restaurants Restaurants | m restaurant | t | place build
cinema | n Kino Kinos Kinos | m cinéma | t | place build
shop | n Geschäft Geschäfts Geschäfte | m magasin | t | place build
office | n Büro Büros Büros | m bureau bureaux | b | place room
park | m Park Parks Parks | m parc | t | place
car | n Auto Autos Autos | f voiture | b | obj veh
bus buses | m Bus Busses Busse | m bus bus | t | veh line rail
train | m Zug Zuges Züge | m train | b | veh line rail
bike | n Fahrrad Fahrrads Fahrräder | m vélo | t | obj veh
plane | n Flugzeug Flugzeugs Flugzeuge | m avion | b | veh line
ship | n Schiff Schiffes Schiffe | m bateau bateaux | c | veh line rail
key | m Schlüssel Schlüssels Schlüssel | f clé | t | obj small
phone | n Telefon Telefons Telefone | m téléphone | t | obj small
computer | m Computer Computers Computer | m ordinateur | b | obj
ticket | f Karte Karte Karten | m billet | t | obj small
bag | f Tasche Tasche Taschen | m sac | t | obj small
table | m Tisch Tisches Tische | f table | t | obj
chair | m Stuhl Stuhls Stühle | f chaise | t | obj
door | f Tür Tür Türen | f porte | t | door
window | n Fenster Fensters Fenster | f fenêtre | t | door
hat | m Hut Hutes Hüte | m chapeau chapeaux | t | obj small wear
coat | m Mantel Mantels Mäntel | m manteau manteaux | t | obj small wear
shirt | n Hemd Hemdes Hemden | f chemise | t | obj small wear
shoe | m Schuh Schuhs Schuhe | f chaussure | t | obj small wear
dress dresses | n Kleid Kleides Kleider | f robe | t | obj small wear
present | n Geschenk Geschenks Geschenke | m cadeau cadeaux | t | obj small
machine | f Maschine Maschine Maschinen | f machine | c | obj
weapon | f Waffe Waffe Waffen | f arme | c | obj
axe | f Axt Axt Äxte | f! hache | c | obj small
letter | m Brief Briefes Briefe | f lettre | b | text small
book | n Buch Buches Bücher | m livre | b | text small
newspaper | f Zeitung Zeitung Zeitungen | m journal journaux | b | text small
article | m Artikel Artikels Artikel | m article | b | text
message | f Nachricht Nachricht Nachrichten | m message | t | text
story | f Geschichte Geschichte Geschichten | f histoire | t | text
song | n Lied Liedes Lieder | f chanson | t | fun sound song
film | m Film Films Filme | m film | t | fun
picture | n Bild Bildes Bilder | f photo | t | fun small
music | f Musik Musik - | f musique | t | fun stuff sound
money | n Geld Geldes - | m argent | b | stuff money
help | f Hilfe Hilfe - | f aide | b | stuff aid
water | n Wasser Wassers - | f eau | b | stuff drink
bread | n Brot Brotes - | m pain | t | stuff food
milk | f Milch Milch - | m lait | t | stuff drink
coffee | m Kaffee Kaffees - | m café | t | stuff drink
wine | m Wein Weins - | m vin | t | stuff drink
beer | n Bier Biers - | f bière | t | stuff drink
meat | n Fleisch Fleisches - | f viande | t | stuff food
cheese | m Käse Käses - | m fromage | t | stuff food
soup | f Suppe Suppe - | f soupe | t | stuff food
fish fish | m Fisch Fisches - | m poisson | t | stuff food
apple | m Apfel Apfels Äpfel | f pomme | t | food
egg | n Ei Eies Eier | m œuf | t | food
orange | f Orange Orange Orangen | f orange | t | food
bean | f Bohne Bohne Bohnen | m! haricot | t | food
cake | m Kuchen Kuchens Kuchen | m gâteau gâteaux | t | food
dog | m Hund Hundes Hunde | m chien | t | animal
cat | f Katze Katze Katzen | m chat | t | animal
horse | n Pferd Pferdes Pferde | m cheval chevaux | t | animal
bird | m Vogel Vogels Vögel | m oiseau oiseaux | t | animal
language | f Sprache Sprache Sprachen | f langue | b | lang
"""
