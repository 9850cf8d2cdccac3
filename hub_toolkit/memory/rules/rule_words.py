"""The words around a rule's subject, in the languages in which rules may be written."""

from __future__ import annotations

NEVER = frozenset(
    str.split("""never not no nothing none dont cant cannot wont shouldnt mustnt nor neither avoid stop skip ignore exclude omit refuse ban forbid block without
    nie niemals nicht nichts kein keine keinen keiner keines ne jamais rien pas aucun aucune nunca nada no ninguna ningun jamas mai niente nessun nessuna non
    nao nenhum nenhuma nooit niets geen niet nigdy nic zadnych ничего никогда не нет asla hicbir""")
)
ONLY = frozenset(
    str.split(
        "only just solely exclusively nur ausschliesslich seulement uniquement solo solamente unicamente soltanto somente apenas so alleen enkel slechts tylko только лишь sadece yalnizca"
    )
)
EXCEPTIONS = frozenset(
    str.split(
        "except excepting unless if when although though however sauf ausser excepto salvo tranne exceto behalve wenn falls quand cuando quando"
    )
)
RELATIVE_TIMES = frozenset(str.split("yesterday today tomorrow recently lately gestern hier ayer ago"))
KEEPING = frozenset(
    str.split("""register registers registered registering retain remember remembers remembered remembering store stored storing keep kept keeping save saved saving record recorded recording retain log note memorize memorise
    write down collect track learn know mention share tell say talk discuss use hold hang onto put take memory memories notes profile
    merk merke merken behalte behalten speichere speichern speicher erinnere erinnern merkst notiere notieren vergessen aufbewahren aufschreiben sagen
    retiens retenir retenez memorise memoriser enregistre enregistrer garde garder souviens souvenir note noter conserve conserver stocke stocker
    recuerdes recuerda recordar recuerde guardes guarda guardar guarde almacenes almacena almacenar memorices memorizar anotes anotar
    ricordare ricorda ricordi memorizzare memorizza salvare salva conservare conserva tenere
    lembre lembrar guarde guardar salve salvar armazene armazenar memorize memorizar
    onthoud onthouden bewaar bewaren opslaan sla zapamietuj zapamietaj zapisuj запоминай помни сохраняй храни hatirla kaydet""")
)
ENGLISH_FILLERS = frozenset(
    str.split("""a an the my our me mine i im us we you your he she they them his her their it its this that these those and or nor as well too also plus both either any anything all everything
    every each some something about of on in for to from with by at regarding concerning related relating relate relates relevant around whatsoever whatever ever at is are be am do does did
    information info infos detail details data fact facts stuff thing things topic topics subject subjects matter matters content issues issue kind kinds sort sorts type types piece pieces
    please kindly thanks ok okay want wanted would like should must may can could will shall need let lets have has had being been was were who which what how where whose there here so
    personal private specific general concrete particular sensitive anymore again longer own person people someone named called name anyone everyone rule rules ask asked connected linked names numbers values levels words ideas
    pertaining touching involving mentions references discussion discussions conversation conversations chat chats message messages bit single even ask asking dare anyhow word bits story stories
    late former estranged beloved dear best little big old older elder eldest younger youngest status situation case cases session sessions preference preferences question questions habit habits
    taste tastes style favourite favourites favorite favorites choice choices plan plans treat exist exists existence again simply do not please certain use useable
    leave private secret confidential myself go goes going went bring brings bringing up down much many often living rather id lot concern concerns concerned out away yourself anybody exactly
    currently really got get keeping else back still already bother other others say says said tell told says happened happens make makes watch watches read reads likes like i love him himself herself hers theirs state states mind
    blank unrecorded unmentioned unsaved unstored unnoted unsaid doing invoice leanings leaning trace file path whichever such whom think thinks feel feels roughly years year bed condition
    form forms far stay stays staying gives give given turn turns yours shaped formed dealings dealing troubles lack affair affairs firm wrong own mine alone customer past side part parts daily whole entire real true actual present record records
    life lives whether help helps date dates hours views view opinion opinions
    to s t re ve ll m""")
)
FILLERS = ENGLISH_FILLERS | frozenset(
    str.split("""ich mir mich mein meine meiner meinen meinem meines
    uber zu zum zur von vom uns unser unsere und oder auch bitte dir dich du das die der den dem des ein eine einen etwas alles irgendetwas informationen angaben daten was betrifft bezug auf
    angeht je j moi mon ma mes notre nos sur de du des d la le les l un une et ou ni aussi qui que quoi concerne concernant propos au aux a touche informations donnees tout quelque chose svp
    te toi mio mia mis mi tu te sobre el la los las lo un una y o ni de del al acerca respecto que mi datos informacion por favor algo todo relacionado con cosas
    il lo gli i le su sul sulla sui sulle della del dei delle e o ne mio mia miei mie dati informazioni cose riguardo riguarda qualcosa
    meu minha meus minhas sobre o os as um uma e ou nem do da dos das dados informacoes coisas algo tudo
    mijn over het de een en of ook van iets alles gegevens informatie wat me mij niet o i lub moje moich mojej moim мое моей моем мои моих о об и или про обо hakkinda benim ve veya beni
    situazione situacion situacao situation lage zustand etat estado stato vita vida vie leben condizioni condiciones historia storia histoire geschichte asunto asuntos affaire affaires faccende
    assunto assuntos proprio propria propio propia eigene eigenen eigener
    wort worte worten bloss parole parler parles parle parla parlare palabra palabras hablar hables hablo n c qu todo tutto mot mots parola parole
    wo wie wann wer wen mit zu tun hat haben dove chi donde como comment
    s t re ve ll m""")
)
