/* words_posts.c - what posts are about, and how they say it. */
#include "source/words.h"

static const struct word art_subjects[] = {
    WORD("Watercolor Leaves"),    WORD("Ink Portraits"),        WORD("Charcoal Sketches"),
    WORD("Clay Figurines"),       WORD("Abstract Canvases"),    WORD("Pencil Shading"),
    WORD("Gouache Landscapes"),   WORD("Paper Collages"),       WORD("Botanical Prints"),
    WORD("Line Drawings"),        WORD("Wet Brush Techniques"), WORD("Color Wheels"),
    WORD("Mixed Media Journals"), WORD("Acrylic Skies"),        WORD("Figure Studies"),
    WORD("Linocut Stamps"),       WORD("Doodle Pages"),         WORD("Ceramic Glazes"),
};
static const struct word beauty_subjects[] = {
    WORD("Evening Eyeliner"),   WORD("Braided Updos"),       WORD("Nail Polish Colors"),
    WORD("Face Masks"),         WORD("Lip Stains"),          WORD("Curly Bangs"),
    WORD("Skin Care Routines"), WORD("Balayage Shades"),     WORD("Brow Shaping"),
    WORD("Wedding Makeup"),     WORD("Overnight Hair Oils"), WORD("Short Bob Haircuts"),
    WORD("Almond Nails"),       WORD("Rose Water Toners"),   WORD("Freckle Looks"),
    WORD("Hair Accessories"),   WORD("Bath Salts"),          WORD("Sun Creams"),
};
static const struct word christmas_subjects[] = {
    WORD("Gingerbread Houses"), WORD("Pine Wreaths"),     WORD("Advent Calendars"),
    WORD("Stocking Fillers"),   WORD("Paper Snowflakes"), WORD("Mantel Garlands"),
    WORD("Window Stars"),       WORD("Sugar Cookies"),    WORD("Gift Wrapping"),
    WORD("Felt Ornaments"),     WORD("Snow Globes"),      WORD("Candle Centerpieces"),
    WORD("Tree Toppers"),       WORD("Holiday Cards"),    WORD("Porch Decorations"),
    WORD("Cinnamon Sticks"),    WORD("Reindeer Crafts"),  WORD("Santa Letters"),
};
static const struct word diy_and_crafts_subjects[] = {
    WORD("Macrame Hangers"),  WORD("Resin Trays"),          WORD("Paper Flowers"),
    WORD("Button Bracelets"), WORD("Pallet Shelves"),       WORD("Tie Dye Shirts"),
    WORD("Yarn Pompoms"),     WORD("Painted Rocks"),        WORD("Sock Puppets"),
    WORD("Soap Molds"),       WORD("Popsicle Stick Boats"), WORD("Embroidery Hoops"),
    WORD("Bath Bombs"),       WORD("Mason Jar Lights"),     WORD("Origami Cranes"),
    WORD("Quilted Bags"),     WORD("Washi Tape Cards"),     WORD("Salt Dough Prints"),
};
static const struct word education_subjects[] = {
    WORD("Phonics Games"),         WORD("Reading Corners"),    WORD("Multiplication Charts"),
    WORD("Science Experiments"),   WORD("Classroom Rules"),    WORD("Spelling Bees"),
    WORD("Map Puzzles"),           WORD("Study Planners"),     WORD("Preschool Worksheets"),
    WORD("Fine Motor Activities"), WORD("History Timelines"),  WORD("Handwriting Sheets"),
    WORD("Counting Bears"),        WORD("Exam Checklists"),    WORD("Homeschool Schedules"),
    WORD("Story Stones"),          WORD("Teacher Printables"), WORD("Weather Charts"),
};
static const struct word event_planning_subjects[] = {
    WORD("Garden Parties"),    WORD("Seating Charts"),     WORD("Baby Showers"),   WORD("Balloon Arches"),
    WORD("Wedding Budgets"),   WORD("Birthday Themes"),    WORD("Table Settings"), WORD("Vendor Checklists"),
    WORD("Welcome Signs"),     WORD("Picnic Menus"),       WORD("Photo Booths"),   WORD("Invitation Suites"),
    WORD("Bridal Brunches"),   WORD("Retirement Parties"), WORD("Dessert Tables"), WORD("Guest Books"),
    WORD("Conference Badges"), WORD("Reception Lighting"),
};
static const struct word finance_subjects[] = {
    WORD("Monthly Budgets"),  WORD("Emergency Funds"),    WORD("Savings Challenges"),  WORD("Side Incomes"),
    WORD("Debt Snowballs"),   WORD("Grocery Spending"),   WORD("Dividend Portfolios"), WORD("Cash Envelopes"),
    WORD("Retirement Plans"), WORD("Credit Scores"),      WORD("Money Mindsets"),      WORD("Frugal Habits"),
    WORD("Sinking Funds"),    WORD("Freelance Invoices"), WORD("Student Loans"),       WORD("Tax Checklists"),
    WORD("Passive Incomes"),  WORD("Bill Trackers"),
};
static const struct word home_decor_subjects[] = {
    WORD("Gallery Walls"), WORD("Farmhouse Kitchens"),  WORD("Linen Curtains"),   WORD("Open Shelves"),
    WORD("Reading Nooks"), WORD("Rattan Lamps"),        WORD("Entryway Benches"), WORD("Small Bathrooms"),
    WORD("Velvet Sofas"),  WORD("Neutral Bedrooms"),    WORD("Hanging Plants"),   WORD("Wainscoting Panels"),
    WORD("Coffee Tables"), WORD("Balcony Gardens"),     WORD("Pantry Labels"),    WORD("Boho Rugs"),
    WORD("Attic Studios"), WORD("Fireplace Surrounds"),
};
static const struct word mens_fashion_subjects[] = {
    WORD("Linen Shirts"),    WORD("Chelsea Boots"),      WORD("Wool Overcoats"),   WORD("Slim Chinos"),
    WORD("Denim Jackets"),   WORD("Leather Belts"),      WORD("Summer Suits"),     WORD("Knit Polos"),
    WORD("Canvas Sneakers"), WORD("Street Style Looks"), WORD("Tailored Blazers"), WORD("Roll Neck Sweaters"),
    WORD("Field Watches"),   WORD("Office Outfits"),     WORD("Cargo Pants"),      WORD("Bomber Jackets"),
    WORD("Pocket Squares"),  WORD("Layered Outfits"),
};
static const struct word quotes_subjects[] = {
    WORD("Morning Affirmations"),
    WORD("Courage Quotes"),
    WORD("Letters to Yourself"),
    WORD("Friendship Sayings"),
    WORD("Quiet Reminders"),
    WORD("Short Poems"),
    WORD("Gratitude Notes"),
    WORD("Sunday Thoughts"),
    WORD("Breakup Lines"),
    WORD("Work Mottos"),
    WORD("Mother and Daughter Sayings"),
    WORD("Book Quotes"),
    WORD("Healing Words"),
    WORD("Funny Signs"),
    WORD("Self Worth Quotes"),
    WORD("Patience Proverbs"),
    WORD("Goodnight Wishes"),
    WORD("New Beginnings"),
};
static const struct word tattoos_subjects[] = {
    WORD("Fine Line Flowers"),
    WORD("Mountain Sleeves"),
    WORD("Tiny Wrist Symbols"),
    WORD("Compass Tattoos"),
    WORD("Matching Sister Tattoos"),
    WORD("Dotwork Moons"),
    WORD("Ankle Vines"),
    WORD("Script Lettering"),
    WORD("Shoulder Wolves"),
    WORD("Geometric Animals"),
    WORD("Birth Flowers"),
    WORD("Wave Outlines"),
    WORD("Forearm Maps"),
    WORD("Butterfly Silhouettes"),
    WORD("Rib Cage Quotes"),
    WORD("Koi Half Sleeves"),
    WORD("Tree Roots"),
    WORD("Minimal Arrows"),
};
static const struct word travel_subjects[] = {
    WORD("Coastal Road Trips"), WORD("Packing Lists"),     WORD("Hidden Beaches"),  WORD("Night Trains"),
    WORD("Mountain Huts"),      WORD("Carry On Outfits"),  WORD("City Breaks"),     WORD("Island Ferries"),
    WORD("Camper Vans"),        WORD("Street Food Tours"), WORD("Waterfall Hikes"), WORD("Old Town Walks"),
    WORD("Northern Lights"),    WORD("Desert Camps"),      WORD("Budget Hostels"),  WORD("Vineyard Weekends"),
    WORD("Lake Cabins"),        WORD("Airport Hacks"),
};
static const struct word vehicles_subjects[] = {
    WORD("Vintage Roadsters"),  WORD("Trail Motorcycles"),   WORD("Pickup Trucks"),
    WORD("Camper Conversions"), WORD("Electric Hatchbacks"), WORD("Muscle Cars"),
    WORD("Cafe Racers"),        WORD("Off Road Tires"),      WORD("Garage Builds"),
    WORD("Rally Wagons"),       WORD("Custom Paint Jobs"),   WORD("Supercars"),
    WORD("Sidecars"),           WORD("Delivery Vans"),       WORD("Engine Swaps"),
    WORD("Dashboard Lights"),   WORD("Old Tractors"),        WORD("Sport Bikes"),
};

const struct category categories[CATEGORY_COUNT] = {
    {WORD("art"), 75, WORDS(art_subjects)},
    {WORD("beauty"), 78, WORDS(beauty_subjects)},
    {WORD("christmas"), 84, WORDS(christmas_subjects)},
    {WORD("diy-and-crafts"), 80, WORDS(diy_and_crafts_subjects)},
    {WORD("education"), 82, WORDS(education_subjects)},
    {WORD("event-planning"), 76, WORDS(event_planning_subjects)},
    {WORD("finance"), 72, WORDS(finance_subjects)},
    {WORD("home-decor"), 83, WORDS(home_decor_subjects)},
    {WORD("mens-fashion"), 70, WORDS(mens_fashion_subjects)},
    {WORD("quotes"), 79, WORDS(quotes_subjects)},
    {WORD("tattoos"), 74, WORDS(tattoos_subjects)},
    {WORD("travel"), 77, WORDS(travel_subjects)},
    {WORD("vehicles"), 70, WORDS(vehicles_subjects)},
};

static const struct word adjective_words[] = {
    WORD("Easy"),        WORD("Cozy"),
    WORD("Modern"),      WORD("Simple"),
    WORD("Beautiful"),   WORD("Creative"),
    WORD("Minimalist"),  WORD("Rustic"),
    WORD("Elegant"),     WORD("Affordable"),
    WORD("Clever"),      WORD("Bold"),
    WORD("Vintage"),     WORD("Trendy"),
    WORD("Dreamy"),      WORD("Stunning"),
    WORD("Unique"),      WORD("Quick"),
    WORD("Classic"),     WORD("Playful"),
    WORD("Natural"),     WORD("Budget Friendly"),
    WORD("Timeless"),    WORD("Handmade"),
    WORD("Gorgeous"),    WORD("Colorful"),
    WORD("Fun"),         WORD("Stylish"),
    WORD("Cute"),        WORD("Aesthetic"),
    WORD("Last Minute"), WORD("Dark"),
    WORD("Soft"),        WORD("Scandinavian"),
    WORD("Tropical"),    WORD("Genius"),
    WORD("Practical"),   WORD("Small"),
    WORD("Inspiring"),   WORD("Unexpected"),
};

static const struct word audience_words[] = {
    WORD("Beginners"),
    WORD("Busy Moms"),
    WORD("Kids"),
    WORD("Teens"),
    WORD("Men"),
    WORD("Women"),
    WORD("Couples"),
    WORD("Small Spaces"),
    WORD("Teachers"),
    WORD("Toddlers"),
    WORD("Students"),
    WORD("Any Budget"),
    WORD("the Whole Family"),
    WORD("Introverts"),
    WORD("Summer"),
    WORD("Winter"),
    WORD("a Rainy Day"),
    WORD("Large Groups"),
    WORD("Your Twenties"),
    WORD("the Weekend"),
};

static const struct word tag_ending_words[] = {
    WORD("Ideas"),     WORD("Inspiration"), WORD("Tips"),          WORD("DIY"),         WORD("Tutorial"),
    WORD("Aesthetic"), WORD("Designs"),     WORD("For Beginners"), WORD("Photography"), WORD("Style"),
    WORD("Decor"),     WORD("Guide"),       WORD("2020"),          WORD("Hacks"),       WORD("Board"),
    WORD("Projects"),  WORD("Trends"),      WORD("For Kids"),
};

static const struct word title_ending_words[] = {
    WORD("That Really Work"),
    WORD("You Can Finish Today"),
    WORD("We Keep Coming Back To"),
    WORD("Nobody Talks About"),
    WORD("Under $20"),
    WORD("to Try This Year"),
    WORD("(Step by Step)"),
    WORD("- Free Printable"),
    WORD("| A Complete Guide"),
    WORD("From Start to Finish"),
    WORD("Everyone Is Saving"),
    WORD("for a Calmer Life"),
    WORD("You Will Actually Use"),
    WORD("+ Free Checklist"),
    WORD("Done in an Afternoon"),
    WORD("Ranked"),
    WORD("Before & After"),
    WORD("Explained"),
    WORD("Worth the Effort"),
    WORD("in 2022"),
};

static const struct word foreign_title_words[] = {
    WORD("Décoration de Noël à faire soi-même"),
    WORD("Идеи для уютного дома"),
    WORD("手作りの小さな庭"),
    WORD("Kleine Küche, große Wirkung"),
    WORD("أفكار بسيطة للديكور"),
    WORD("Tatuagens delicadas para o verão"),
    WORD("घर की सजावट के आसान उपाय"),
    WORD("Façons d’organiser un après-midi"),
    WORD("봄 코디 모음"),
    WORD("旅行的清单"),
    WORD("Süße Geschenke für Mütter"),
    WORD("Recetas fáciles para el otoño"),
    WORD("Yılbaşı için küçük fikirler"),
    WORD("Pomysły na łazienkę"),
    WORD("Ý tưởng trang trí nhà"),
    WORD("ไอเดียแต่งบ้าน"),
    WORD("Ιδέες για το σαλόνι"),
    WORD("Jól i skogen – våra bästa tips"),
    WORD("Čtvrtletní plán úspor"),
    WORD("Café crème & résumé ideas"),
    WORD("It’s the little things…"),
    WORD("“Less, but better”"),
    WORD("Spring–Summer Lookbook"),
    WORD("Naïve art for everyone"),
};

static const struct word emoji_words[] = {
    WORD("✨"),           WORD("🍂"),  WORD("🎄"), WORD("❤️"), WORD("🌿"),       WORD("😍"),
    WORD("👩‍🎨"), WORD("🇮🇹"), WORD("💸"), WORD("🖤"),   WORD("🏕️"), WORD("🎨"),
};

static const struct word shop_noun_words[] = {
    WORD("Acorn"),   WORD("Maple"),  WORD("Harbor"), WORD("Willow"),  WORD("Lantern"),  WORD("Juniper"),
    WORD("Sparrow"), WORD("Meadow"), WORD("Cobalt"), WORD("Thistle"), WORD("Marigold"), WORD("Driftwood"),
    WORD("Pebble"),  WORD("Clover"), WORD("Ember"),  WORD("Birch"),   WORD("Saffron"),  WORD("Anchor"),
    WORD("Velvet"),  WORD("Copper"), WORD("Fern"),   WORD("Orchard"), WORD("Paper"),    WORD("Moonlit"),
    WORD("Honey"),   WORD("Cedar"),  WORD("Tulip"),  WORD("Granite"), WORD("Indigo"),   WORD("Poppy"),
};

static const struct word shop_ending_words[] = {
    WORD("Studio"),
    WORD("& Co"),
    WORD("Living"),
    WORD("Makes"),
    WORD("Journal"),
    WORD("Home"),
    WORD("Diaries"),
    WORD("Collective"),
    WORD("Workshop"),
    WORD("on a Budget"),
    WORD("Creative"),
    WORD("| Style, Home & Life"),
    WORD("Designs"),
    WORD("Blog"),
    WORD("Atelier"),
    WORD("Kitchen"),
    WORD("and Daughter"),
    WORD("Market"),
    WORD("Notes"),
    WORD("Travels"),
    WORD("Club"),
    WORD("by Zoë"),
    WORD("Living | Money, Habits & Calm"),
    WORD("24-7"),
    WORD("Let's Craft"),
    WORD("Café"),
};

static const struct word sentence_words[] = {
    WORD("A short list of % that we tried ourselves and would make again."),
    WORD("Looking for %? Start with these, they need nothing special."),
    WORD("Save this for later: everything about % on one page."),
    WORD("These % look expensive, but cost next to nothing."),
    WORD("Learn how to plan % without losing a whole weekend."),
    WORD("Our readers sent in their favourite %, and here are the best of them."),
    WORD("You don't need much space for %, only a corner and some patience."),
    WORD("With photos, a list of materials and honest notes on what went wrong."),
    WORD("Perfect for a rainy afternoon at home, alone or with friends."),
    WORD("Step by step instructions are on the blog, with a free printable."),
    WORD("If you love %, this one is for you!"),
    WORD("Some are quick, some take a while, all of them are worth it."),
    WORD("We compared 27 % so that you don't have to."),
    WORD("Find out why % are everywhere this season."),
    WORD("Simple ideas for %, from the first sketch to the finished thing."),
    WORD("Shop the look, or make it yourself for less."),
    WORD("The trick is to begin small & keep going."),
    WORD("Click through to see the rest of the %."),
    WORD("My grandmother called them \"the easy ones\", and she was right about %."),
    WORD("From colours to sizes: what to know before you choose %."),
    WORD("It’s all about the details – and a little bit of luck."),
    WORD("Una idea sencilla para % en casa, paso a paso."),
    WORD("New every week • tips • tools • %"),
    WORD("Made with love in a tiny café kitchen 💛"),
};

static const struct word odd_description_words[] = {
    WORD("Art."), WORD("Wow."),        WORD("always"),      WORD("4,812 points • 96 comments"),
    WORD("👇"),    WORD("so pretty!!"), WORD("Link in bio"), WORD("Discover (and save!) your own ideas."),
};

const struct words adjectives = WORDS(adjective_words);
const struct words audiences = WORDS(audience_words);
const struct words tag_endings = WORDS(tag_ending_words);
const struct words title_endings = WORDS(title_ending_words);
const struct words foreign_titles = WORDS(foreign_title_words);
const struct words emoji = WORDS(emoji_words);
const struct words shop_nouns = WORDS(shop_noun_words);
const struct words shop_endings = WORDS(shop_ending_words);
const struct words sentences = WORDS(sentence_words);
const struct words odd_descriptions = WORDS(odd_description_words);
