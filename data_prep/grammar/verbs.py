"""Verbs, one a line: English | German | French | register | subjects | frame and objects.

English: infinitive[/past[/participle]] and the preposition of the object. German: infinitive (``+`` after a separable
prefix), third person singular, preterite, participle; then ``sein`` and the object's case, ``d`` or
``preposition:case``. French: infinitive, ``être`` if that is its auxiliary, the preposition of the object. Frame:
``none``, ``object``, ``recipient`` (object, and dative / *à* / *to*), ``that``, ``infinitive``; ``~`` marks a state
(no progressive), ``!`` a verb without a passive.
"""

VERBS = """
adopt | an+nehmen nimmt nahm angenommen | adopter | c | inst | object: doc
reject | ab+lehnen lehnt lehnte abgelehnt | rejeter | c | inst office | object: doc
approve | billigen billigt billigte gebilligt | approuver | c | inst office | object: doc
support | unterstützen unterstützt unterstützte unterstützt | soutenir | b | inst pers | object~: doc inst office pers
criticise | kritisieren kritisiert kritisierte kritisiert | critiquer | b | inst pers | object: doc inst office
discuss | besprechen bespricht besprach besprochen | discuter de | c | inst pers | object: doc issue
examine | prüfen prüft prüfte geprüft | examiner | c | inst office | object: doc issue
prepare | vor+bereiten bereitet bereitete vorbereitet | préparer | b | inst pers | object: doc gather
present | vor+stellen stellt stellte vorgestellt | présenter | c | inst office | object: doc
publish | veröffentlichen veröffentlicht veröffentlichte veröffentlicht | publier | c | inst office | object: doc text
sign | unterschreiben unterschreibt unterschrieb unterschrieben | signer | b | inst pers | object: doc
amend | ändern ändert änderte geändert | modifier | c | inst | object: doc
defend | verteidigen verteidigt verteidigte verteidigt | défendre | c | inst pers | object: doc inst
apply | an+wenden wendet wandte angewandt | appliquer | c | inst | object: doc
protect | schützen schützt schützte geschützt | protéger | c | inst pers | object: place pers site
finance | finanzieren finanziert finanzierte finanziert | financer | c | inst | object: doc build
build/built | bauen baut baute gebaut | construire | c | inst | object: build
close | schließen schließt schloss geschlossen | fermer | b | inst pers | object: build door site
open | öffnen öffnet öffnete geöffnet | ouvrir | b | inst pers | object: build door site
solve | lösen löst löste gelöst | résoudre | c | inst pers | object: problem
avoid | vermeiden vermeidet vermied vermieden | éviter | c | inst pers | object: problem
cause | verursachen verursacht verursachte verursacht | causer | c | doc event | object: problem
understand/understood | verstehen versteht verstand verstanden | comprendre | b | pers | object~: doc issue text lang
know/knew/known | kennen kennt kannte gekannt | connaître | b | pers | object~: pers place doc issue text
invite | ein+laden lädt lud eingeladen | inviter | b | inst pers | object: pers
elect | wählen wählt wählte gewählt | élire | c | citizen | object: office
interrupt | unterbrechen unterbricht unterbrach unterbrochen | interrompre | c | office | object: gather
welcome | begrüßen begrüßt begrüßte begrüßt | saluer | c | inst office | object: doc state
demand | fordern fordert forderte gefordert | exiger | c | inst office | object~: doc
continue | fort+setzen setzt setzte fortgesetzt | poursuivre | c | inst office | object: gather
follow | verfolgen verfolgt verfolgte verfolgt | suivre | c | pers inst | object: gather
prevent | verhindern verhindert verhinderte verhindert | empêcher | c | inst pers | object: event
organise | organisieren organisiert organisierte organisiert | organiser | b | inst pers | object: gather
destroy | zerstören zerstört zerstörte zerstört | détruire | c | event pers | object: build place obj
receive | bekommen bekommt bekam bekommen | recevoir | b | inst pers | object!: doc text money aid
buy/bought | kaufen kauft kaufte gekauft | acheter | b | inst pers | object: obj text food drink
sell/sold | verkaufen verkauft verkaufte verkauft | vendre | b | inst pers | object: obj build food drink
find/found | finden findet fand gefunden | trouver | b | inst pers | object: small obj pers animal
lose/lost | verlieren verliert verlor verloren | perdre | b | pers inst | object: small money
look for | suchen sucht suchte gesucht | chercher | b | pers inst | object: small pers animal
wait for | warten wartet wartete gewartet auf:a | attendre | b | pers | object: pers line
talk about | sprechen spricht sprach gesprochen über:a | parler de | b | pers inst | object: doc issue fun event kin
vote for | stimmen stimmt stimmte gestimmt für:a | voter pour | c | inst citizen | object: doc
fight/fought against | kämpfen kämpft kämpfte gekämpft gegen:a | lutter contre | c | inst pers | object: doc problem
believe in | glauben glaubt glaubte geglaubt an:a | croire à | c | pers | object~: doc
insist on | bestehen besteht bestand bestanden auf:d | insister sur | c | inst office | object~: doc
depend on | ab+hängen hängt hing abgehangen von:d | dépendre de | c | doc | object~: issue inst
participate in | teil+nehmen nimmt nahm teilgenommen an:d | participer à | c | inst pers | object: gather
react to | reagieren reagiert reagierte reagiert auf:a | réagir à | c | inst office | object: doc issue
answer | beantworten beantwortet beantwortete beantwortet | répondre à | b | pers inst | object: question
help | helfen hilft half geholfen d | aider | b | pers inst | object: pers
thank | danken dankt dankte gedankt d | remercier | c | pers inst | object: pers
explain | erklären erklärt erklärte erklärt | expliquer | b | inst pers | recipient: doc issue
show/showed/shown | zeigen zeigt zeigte gezeigt | montrer | b | pers inst | recipient: doc text small
offer | an+bieten bietet bot angeboten | offrir | c | inst pers | recipient: money aid doc
send/sent | schicken schickt schickte geschickt | envoyer | b | pers inst | recipient: text money doc
give/gave/given | geben gibt gab gegeben | donner | b | pers | recipient: small money food drink
work | arbeiten arbeitet arbeitete gearbeitet | travailler | b | pers | none
sleep/slept | schlafen schläft schlief geschlafen | dormir | t | kin animal pers | none
arrive | an+kommen kommt kam angekommen sein | arriver être | b | pers line | none
leave/left | ab+fahren fährt fuhr abgefahren sein | partir être | b | rail | none
come/came/come | kommen kommt kam gekommen sein | venir être | t | pers | none
stay | bleiben bleibt blieb geblieben sein | rester être | b | pers animal | none
live | wohnen wohnt wohnte gewohnt | habiter | b | pers | none~
disappear | verschwinden verschwindet verschwand verschwunden sein | disparaître | c | small | none
laugh | lachen lacht lachte gelacht | rire | t | pers | none
dance | tanzen tanzt tanzte getanzt | danser | t | pers | none
hesitate | zögern zögert zögerte gezögert | hésiter | c | inst office | none
say/said | sagen sagt sagte gesagt | dire | b | pers inst | that
think/thought | denken denkt dachte gedacht | penser | b | pers | that~
know/knew/known | wissen weiß wusste gewusst | savoir | b | pers | that~
believe | glauben glaubt glaubte geglaubt | croire | c | pers | that~
hope | hoffen hofft hoffte gehofft | espérer | b | pers inst | that~
announce | an+kündigen kündigt kündigte angekündigt | annoncer | c | inst office | that
note | fest+stellen stellt stellte festgestellt | constater | c | inst office | that
confirm | bestätigen bestätigt bestätigte bestätigt | confirmer | c | inst office | that
emphasise | betonen betont betonte betont | souligner | c | inst office | that
forget/forgot/forgotten | vergessen vergisst vergaß vergessen | oublier | b | pers | that
decide | beschließen beschließt beschloss beschlossen | décider de | b | inst pers | infinitive
promise | versprechen verspricht versprach versprochen | promettre de | b | office kin | infinitive
try | versuchen versucht versuchte versucht | essayer de | b | inst pers | infinitive
eat/ate/eaten | essen isst aß gegessen | manger | b | pers | object: food
drink/drank/drunk | trinken trinkt trank getrunken | boire | b | pers | object: drink
read/read | lesen liest las gelesen | lire | b | pers | object: text
write/wrote/written | schreiben schreibt schrieb geschrieben | écrire | b | pers | object: text
see/saw/seen | sehen sieht sah gesehen | voir | b | pers | object~: pers animal obj fun build
hear/heard | hören hört hörte gehört | entendre | t | pers | object~: sound pers animal
love | lieben liebt liebte geliebt | adorer | t | pers | object~: kin fun food drink animal place
like | mögen mag mochte gemocht | aimer | t | pers | object~: fun food drink animal place wear obj
have/had | haben hat hatte gehabt | avoir | t | pers | object~: obj small money animal
wear/wore/worn | tragen trägt trug getragen | porter | t | pers | object: wear
repair | reparieren repariert reparierte repariert | réparer | b | pers | object: obj
clean | putzen putzt putzte geputzt | nettoyer | t | pers | object: room
learn | lernen lernt lernte gelernt | apprendre | t | pers | object: lang
meet/met | treffen trifft traf getroffen | rencontrer | b | pers | object: pers
visit | besuchen besucht besuchte besucht | visiter | b | pers | object: place
sing/sang/sung | singen singt sang gesungen | chanter | t | pers | object: song
take/took/taken | nehmen nimmt nahm genommen | prendre | b | pers | object: line small money
bring/brought | mit+bringen bringt brachte mitgebracht | apporter | t | pers | object: food drink small
"""
